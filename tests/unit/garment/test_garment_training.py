"""Training of the garment detector: samples, losses, resuming, importers."""

import json

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from dpidm_model.errors import CheckpointError, InputError, MissingFileError
from dpidm_model.garment.decode import SWAP, to_tensor
from dpidm_model.garment.network import GarmentNet, GarmentNetConfig, load_garment_net, save_garment_net
from dpidm_model.garment.renderer import render_garment
from dpidm_model.handovers import GARMENT_SLOTS
from dpidm_model.training.garment_pose.config import GarmentTrainConfig
from dpidm_model.training.garment_pose.data import BLOCK, GarmentPictures, Labelled, generate, to_sample
from dpidm_model.training.garment_pose.deepfashion2 import COUNTS, to_slots
from dpidm_model.training.garment_pose.importers import labelled_photos
from dpidm_model.training.garment_pose.loop import GarmentTrainer
from dpidm_model.training.garment_pose.losses import garment_losses
from dpidm_model.training.garment_pose.state import load_state, save_state

SIZE = (64, 96)


def _pictures(count=20, **options) -> GarmentPictures:
    return GarmentPictures(count, lambda _: SIZE, **options)


def test_a_sample_depends_on_its_number_alone():
    whole, tail = _pictures(), _pictures(start=12)
    for name, value in whole[15].items():
        assert np.array_equal(value, tail[3][name]), name


def test_pictures_come_again_shaken_otherwise():
    pictures = _pictures(3 * BLOCK, repeats=2)
    assert pictures._rendered(5, SIZE) is pictures._rendered(5 + BLOCK, SIZE)
    assert not np.array_equal(pictures[5]["image"], pictures[5 + BLOCK]["image"])


def test_labels_follow_the_shaking():
    """A marker painted at a landmark is where the shaken label says, on mirrored pictures under the other name."""
    r = render_garment(4, SIZE, kind="longsleeve", clean=True)
    slot, marked = GARMENT_SLOTS.index("r_hip"), np.zeros((96, 64, 3), np.uint8)
    x, y = r.landmarks.points_K3[slot, :2]
    cv2.circle(marked, (round(float(x)), round(float(y))), 2, (255, 255, 255), -1)
    mirrored = 0
    for seed in range(30):
        item = Labelled(image_HW3=marked, landmarks=r.landmarks, mask_HW=r.mask_HW, single=True)
        rng = np.random.default_rng(seed)
        sample = to_sample(item, rng, SIZE)
        image = sample["image"].astype(float).mean(2)
        image = 255 - image if image.mean() > 128 else image
        if image.max() < 60:
            continue
        found = np.array(np.unravel_index(int(cv2.GaussianBlur(image, (0, 0), 1.5).argmax()), image.shape))[::-1]
        distances = [np.linalg.norm(found - sample["points"][s]) for s in (slot, SWAP[slot])]
        assert min(distances) < 3
        mirrored += distances[1] < distances[0]
    assert 5 < mirrored < 25


def test_heat_loss_is_least_at_the_truth():
    samples = [to_sample(generate(s, SIZE), None, SIZE) for s in range(4)]
    batch = default_collate(samples)
    torch.manual_seed(0)
    net = GarmentNet(GarmentNetConfig(widths=(4, 6, 8, 10, 12), blocks=(1, 1, 1, 1), neck=8, input_size=SIZE))
    maps = net(to_tensor(batch["image"].numpy()))
    truth = type(maps)(**{**vars(maps), "heat_BKhw": (batch["heat"] + 1e-9).log()})
    assert garment_losses(truth, batch)["heat"] < 0.6 * garment_losses(maps, batch)["heat"]


def test_negatives_teach_only_that_they_are_none():
    batch = default_collate([to_sample(generate(s, SIZE), None, SIZE) for s in range(6)])
    batch["single"] = torch.zeros_like(batch["single"])
    net = GarmentNet(GarmentNetConfig(widths=(4, 6, 8, 10, 12), blocks=(1, 1, 1, 1), neck=8, input_size=SIZE))
    losses = garment_losses(net(to_tensor(batch["image"].numpy())), batch)
    assert losses["heat"] == losses["visibility"] == losses["category"] == 0
    assert losses["single"] > 0


def _config(folder, **changes) -> GarmentTrainConfig:
    values = {"steps": 6, "batch": 4, "save_every": 3, "validate_every": 100, "validation": 8, "workers": 0}
    return GarmentTrainConfig(out=str(folder), width=64, height=64, warmup=2, **(values | changes))


@pytest.mark.slow
def test_a_resumed_run_ends_like_one_that_was_not_stopped(tmp_path):
    whole = GarmentTrainer(_config(tmp_path / "whole")).run()
    parts = tmp_path / "parts"
    first = GarmentTrainer(_config(parts))
    loader = iter(first._loader())
    first.net.train()
    for _ in range(3):
        first._train_step(next(loader))
        first.step += 1
    first._save()
    resumed = GarmentTrainer(_config(parts))
    assert resumed.step == 3
    result = resumed.run()
    a, b = (load_garment_net(r["weights"])[0].state_dict() for r in (whole, result))
    for name in a:
        assert torch.allclose(a[name].float(), b[name].float(), atol=1e-3), name


def test_several_starts_begin_at_their_mean(tmp_path):
    nets = []
    for number in range(2):
        torch.manual_seed(number)
        nets.append(GarmentNet(GarmentNetConfig(input_size=(64, 64))))
        save_garment_net(tmp_path / f"{number}.safetensors", nets[-1], {})
    start = tuple(str(tmp_path / f"{number}.safetensors") for number in range(2))
    trainer = GarmentTrainer(GarmentTrainConfig(out=str(tmp_path / "run"), width=64, height=64, start=start))
    found = trainer.ema.state_dict()
    for name, a in nets[0].state_dict().items():
        if a.is_floating_point():
            wanted = (a + nets[1].state_dict()[name]) / 2
            torch.testing.assert_close(found[name], wanted, atol=1e-3, rtol=1e-3)


def test_a_torn_state_is_passed_over(tmp_path):
    for step in (1, 2, 3):
        save_state(tmp_path, step, {"net": {}})
    assert len(list(tmp_path.glob("state_*.pt"))) == 2, "old states are deleted"
    newest = tmp_path / "state_0000003.pt"
    newest.write_bytes(newest.read_bytes()[:100])
    told = []
    assert load_state(tmp_path, told.append)["step"] == 2
    assert "unreadable" in told[0]
    (tmp_path / "state_0000002.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of the 2 states"):
        load_state(tmp_path, told.append)
    assert load_state(tmp_path / "empty", told.append) is None


@pytest.mark.parametrize("values", [{"steps": 0}, {"ema": 1.0}, {"lr": 0.0}, {"share": 2.0}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(InputError):
        GarmentTrainConfig(**values)


def _write_coco(folder, count=2, **annotation):
    (folder / "pictures").mkdir(exist_ok=True)
    slots = list(reversed(GARMENT_SLOTS))
    images, annotations = [], []
    for i in range(count):
        r = render_garment(i, (96, 128), kind="tee")
        cv2.imwrite(str(folder / "pictures" / f"{i}.png"), r.image_HW3[..., ::-1])
        keypoints = np.concatenate([r.landmarks.points_K3[:, :2], r.landmarks.visibility_K[:, None]], 1)[::-1]
        images.append({"id": i, "file_name": f"{i}.png"})
        annotations.append({"image_id": i, "category_id": 1, "keypoints": keypoints.ravel().tolist()} | annotation)
    data = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "upper", "keypoints": slots}],
    }
    (folder / "labels.json").write_text(json.dumps(data))
    return f"{folder / 'labels.json'}:{folder / 'pictures'}"


def test_coco_photos_are_read_in_any_slot_order(tmp_path):
    readers = labelled_photos([_write_coco(tmp_path)], [])
    true = render_garment(1, (96, 128), kind="tee")
    item = readers[1]()
    assert np.allclose(item.landmarks.points_K3[:, :2], true.landmarks.points_K3[:, :2], atol=0.01)
    assert np.array_equal(item.landmarks.visibility_K, true.landmarks.visibility_K)
    assert np.array_equal(item.image_HW3, true.image_HW3)


def test_labelled_photos_are_mixed_in(tmp_path):
    readers = labelled_photos([_write_coco(tmp_path)], [])
    pictures = _pictures(photos=readers, share=1.0)
    assert all(pictures[i]["category"] == 0 for i in range(6))


def test_wrong_coco_sources_are_explained(tmp_path):
    with pytest.raises(InputError, match=r"labels\.json:picture_folder"):
        labelled_photos(["nothing"], [])
    with pytest.raises(MissingFileError, match="does not exist"):
        labelled_photos([f"{tmp_path}/no.json:{tmp_path}"], [])
    with pytest.raises(InputError, match="expected 13"):
        labelled_photos([_write_coco(tmp_path, keypoints=[1, 2, 2])], [])


def _marks(name: str) -> np.ndarray:
    """Landmarks on a circle, so that each has a place of its own."""
    angle = np.linspace(0, 2 * np.pi, COUNTS[name], endpoint=False)
    return np.stack([100 + 50 * np.sin(angle), 100 - 50 * np.cos(angle), np.full(COUNTS[name], 2)], 1)


@pytest.mark.parametrize("category_id", range(1, 14))
def test_deepfashion2_is_mapped_symmetrically(category_id):
    """Mirroring the landmarks of the picture mirrors ours: right and left change places."""
    names = list(COUNTS)
    marks = _marks(names[category_id - 1])
    points, visibility, category = to_slots(category_id, marks.ravel().tolist())
    assert category in ("upper", "lower", "dress")
    assert (visibility > 0).sum() >= 4
    for i, j in enumerate(SWAP):
        assert (visibility[i] > 0) == (visibility[j] > 0)
    if names[category_id - 1] == "short_top":
        assert np.allclose(points[GARMENT_SLOTS.index("r_shoulder")], marks[6, :2])
        assert np.allclose(points[GARMENT_SLOTS.index("l_elbow")], marks[[21, 22], :2].mean(0))
    with pytest.raises(InputError, match="landmarks"):
        to_slots(category_id, [1.0, 2.0, 2.0])


def test_deepfashion2_folders_are_read(tmp_path):
    for name in ("annos", "image"):
        (tmp_path / name).mkdir()
    marks = _marks("vest").ravel().tolist()
    one = {"category_id": 5, "landmarks": marks, "segmentation": [[60, 60, 140, 60, 140, 140, 60, 140]]}
    (tmp_path / "annos" / "000001.json").write_text(json.dumps({"source": "shop", "item1": one}))
    (tmp_path / "annos" / "000002.json").write_text(json.dumps({"source": "shop", "item1": one, "item2": one}))
    cv2.imwrite(str(tmp_path / "image" / "000001.jpg"), np.full((200, 200, 3), 99, np.uint8))
    readers = labelled_photos([], [str(tmp_path)])
    assert len(readers) == 1, "pictures with two garments are left out"
    item = readers[0]()
    assert item.landmarks.category == "upper"
    assert item.mask_HW[100, 100] == 255
    assert item.mask_HW[5, 5] == 0
    with pytest.raises(MissingFileError, match="annos"):
        labelled_photos([], [str(tmp_path / "image")])
