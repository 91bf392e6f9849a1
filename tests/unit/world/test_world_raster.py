"""The rasteriser against a plain per-pixel reference."""

import numpy as np
import pytest

from dpidm_model.world.raster import rasterise

SHAPE = (23, 31)


def soup(seed: int, count: int = 120):
    """Random front-facing triangles, some reaching outside of the picture."""
    rng = np.random.default_rng(seed)
    vertices = np.empty((count * 3, 3), np.float32)
    middle = rng.uniform(-4, 35, (count, 1, 2))
    vertices[:, :2] = (middle + rng.normal(0, rng.uniform(1, 9, (count, 1, 1)), (count, 3, 2))).reshape(-1, 2)
    vertices[:, 2] = rng.uniform(-1, 1, count * 3)
    return vertices, np.arange(count * 3).reshape(-1, 3)


def reference(vertices, triangles):
    """Nearest triangle and depth at every pixel centre, one by one in float64."""
    best = np.full(SHAPE, -1)
    depth = np.full(SHAPE, -np.inf)
    for name, corners in enumerate(vertices[triangles].astype(float)):
        (x0, y0, z0), (x1, y1, z1), (x2, y2, z2) = corners
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area <= 1e-6:
            continue
        for row in range(SHAPE[0]):
            for column in range(SHAPE[1]):
                dx, dy = column + 0.5 - x0, row + 0.5 - y0
                b1 = (dx * (y2 - y0) - dy * (x2 - x0)) / area
                b2 = (dy * (x1 - x0) - dx * (y1 - y0)) / area
                z = z0 + b1 * (z1 - z0) + b2 * (z2 - z0)
                if min(b1, b2, 1 - b1 - b2) >= 0 and z > depth[row, column]:
                    best[row, column], depth[row, column] = name, z
    return best, depth


@pytest.mark.parametrize("seed", range(4))
def test_same_triangle_and_depth_as_the_reference(seed):
    vertices, triangles = soup(seed)
    found = rasterise(vertices, triangles, SHAPE)
    best, depth = reference(vertices, triangles)
    drawn = found.paint(found.triangles_N, -1)
    same = drawn == best
    assert same.mean() > 0.995  # pixel centres on an edge may fall to either side in float32
    assert (best >= 0).mean() > 0.25
    painted = found.paint(found.depth_N, 0)
    agree = same & (best >= 0)
    np.testing.assert_allclose(painted[agree], depth[agree], atol=1e-4)


def test_interpolation_is_exact_for_linear_functions_of_the_position():
    vertices, triangles = soup(7)
    found = rasterise(vertices, triangles, SHAPE)
    rows, columns = np.divmod(found.pixels_N, SHAPE[1])
    linear = vertices[:, :2] @ np.array([[0.5], [-2.0]], np.float32)
    expected = 0.5 * (columns + 0.5) - 2.0 * (rows + 0.5)
    np.testing.assert_allclose(found.interpolate(linear, triangles)[:, 0], expected, atol=2e-3)


def test_back_faces_are_not_drawn():
    vertices, triangles = soup(3)
    front = rasterise(vertices, triangles, SHAPE)
    turned = rasterise(vertices, triangles[:, ::-1], SHAPE)
    assert not set(front.triangles_N) & set(turned.triangles_N)


def test_a_hole_shows_what_lies_behind():
    vertices = np.array([(0, 0, 0), (40, 0, 0), (0, 40, 0), (0, 0, 1), (40, 0, 1), (0, 40, 1)], np.float32)
    triangles = np.array([(0, 1, 2), (3, 4, 5)])
    solid = rasterise(vertices, triangles, (16, 16))
    assert set(solid.triangles_N) == {1}
    open_front = rasterise(vertices, triangles, (16, 16), lambda name, b1, b2: (name == 1) & (b1 > 0.2))
    drawn = open_front.paint(open_front.triangles_N, -1)
    assert drawn[0, 0] == 1
    assert drawn[0, 15] == 0


def test_frames_in_a_tall_picture_do_not_leak_into_each_other():
    vertices, triangles = soup(5)
    alone = rasterise(vertices, triangles, SHAPE)
    other = vertices + np.array([6, 9, 0], np.float32)  # reaches out below
    second = rasterise(other, triangles, SHAPE)
    both = np.concatenate([vertices, other + np.array([0, SHAPE[0], 0], np.float32)])
    tall = rasterise(both, np.concatenate([triangles, triangles + len(vertices)]), (2 * SHAPE[0], SHAPE[1]), frames=2)
    drawn = tall.paint(tall.triangles_N, -1)
    np.testing.assert_array_equal(drawn[: SHAPE[0]], alone.paint(alone.triangles_N, -1))
    lower = drawn[SHAPE[0] :]
    same = np.where(lower >= 0, lower - len(triangles), -1) == second.paint(second.triangles_N, -1)
    assert same.mean() > 0.995  # rounding differs a little with the offset
