"""From meshes to pixels: the camera, sampling, light, and layers put together by depth.

F frames, V vertices, N covered pixels, H W pixel rows/columns of the working picture (see working_size).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .mesh import Mesh
from .raster import Discard, Raster, rasterise

FINE_ROWS, FINE, COARSE = 192, 2.0, 1.5  # supersampling for pictures of at least FINE_ROWS rows, and for smaller ones
FAR = -9.0
LENS_DISTANCE = 4.5  # metres from the camera to the person, for perspective


@dataclass(frozen=True)
class Camera:
    """scale_F: pixels per metre at the person.  centre_F2: world x, y at the picture's middle.  size: (width, height)."""

    scale_F: np.ndarray
    centre_F2: np.ndarray
    size: tuple[int, int]

    def project(self, points_FN3: np.ndarray) -> np.ndarray:
        """World positions (F, ..., 3) -> x, y in pixels of `size` and z in metres towards the viewer, float32."""
        lead = (slice(None), *([None] * (points_FN3.ndim - 2)))
        near = 1 / (1 - points_FN3[..., 2] / LENS_DISTANCE)
        scale = self.scale_F[lead] * near
        x = (points_FN3[..., 0] - self.centre_F2[lead + (0,)]) * scale + self.size[0] / 2
        y = (points_FN3[..., 1] - self.centre_F2[lead + (1,)]) * scale + self.size[1] / 2
        return np.stack([x, y, points_FN3[..., 2]], -1).astype(np.float32)

    def resized(self, size: tuple[int, int]) -> "Camera":
        """The same view on a picture of another size (width, height) of about the same shape."""
        return Camera(self.scale_F * (size[1] / self.size[1]), self.centre_F2, size)


@dataclass(frozen=True, kw_only=True)
class Light:
    """direction: unit vector towards the main light.  ambient, strength: brightness factors.  tint: RGB factors."""

    direction: np.ndarray
    ambient: float
    strength: float
    tint: np.ndarray


def working_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size (width, height) that pictures of `size` are drawn at, before they are averaged down."""
    factor = FINE if size[1] >= FINE_ROWS else COARSE
    return round(size[0] * factor), round(size[1] * factor)


def make_light(rng: np.random.Generator) -> Light:
    """A main light from above, in front, left or right."""
    angle, height = rng.uniform(-1.0, 1.0), rng.uniform(0.25, 0.9)
    direction = np.array([np.sin(angle), -height, np.cos(angle)], np.float32)
    warm = rng.uniform(-0.04, 0.05)
    ambient = rng.uniform(0.42, 0.62)
    return Light(
        direction=direction / np.linalg.norm(direction),
        ambient=ambient,
        strength=1.08 - ambient + rng.uniform(0, 0.08),
        tint=np.array([1 + warm, 1, 1 - warm], np.float32),
    )


@dataclass(frozen=True)
class Shot:
    """One mesh seen in one frame: its raster, texture colours, brightness, and parts."""

    raster: Raster
    rgb_N3: np.ndarray
    light_N: np.ndarray
    part_N: np.ndarray

    def select(self, keep_N: np.ndarray) -> "Shot":
        """Only the covered pixels where keep_N is true."""
        pick = np.flatnonzero(keep_N)
        return Shot(self.raster.select(keep_N), np.take(self.rgb_N3, pick, 0), self.light_N[pick], self.part_N[pick])


def sample(texture_HWC: np.ndarray, uv_N2: np.ndarray) -> np.ndarray:
    """Bilinear texture look-up at N positions (x, y in texture pixels): (N, C). Outside is clamped to the edge."""
    count, row = len(uv_N2), 256
    padded = np.zeros((-(-max(count, 1) // row) * row, 2), np.float32)
    padded[:count] = uv_N2
    maps = padded.reshape(-1, row, 2)
    colours = cv2.remap(texture_HWC, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # pyright: ignore
    return colours.reshape(-1, texture_HWC.shape[2])[:count]


def shoot(mesh: Mesh, texture_HW4: np.ndarray, screen_V3: np.ndarray, frame: int, light: Light, shape) -> Shot:
    """Draw a mesh's frame, screen_V3 being its projected vertices."""
    raster = rasterise(screen_V3, mesh.triangles_T3, shape, _holes(mesh, texture_HW4))
    brightness_V = light_vertices(mesh.normals_FV3[frame], light)
    values = raster.interpolate(np.concatenate([mesh.uv_V2, brightness_V[:, None]], 1), mesh.triangles_T3)
    rgba = sample(texture_HW4, values[:, :2])
    return Shot(raster, rgba[:, :3], values[:, 2], mesh.part_T[raster.triangles_N])


def _holes(mesh: Mesh, texture_HW4: np.ndarray) -> Discard:
    """Fragments whose nearest texel is mostly transparent, of the triangles that touch transparent texels."""
    alpha = texture_HW4[..., 3]
    limit = np.array(alpha.shape[::-1]) - 1

    def coverage(uv):
        x, y = (np.clip(uv + 0.5, 0, limit)).astype(np.int32).T
        return alpha[y, x]

    corners_T32 = mesh.uv_V2[mesh.triangles_T3]
    base, first, second = corners_T32[:, 0], corners_T32[:, 1] - corners_T32[:, 0], corners_T32[:, 2] - corners_T32[:, 0]

    def discard(triangle_P, b1_P, b2_P):
        hole = np.zeros(len(triangle_P), bool)
        test = np.flatnonzero(mesh.cut_T[triangle_P])
        name = triangle_P[test]
        hole[test] = coverage(base[name] + first[name] * b1_P[test, None] + second[name] * b2_P[test, None]) < 128
        return hole

    return discard


def light_vertices(normals_V3: np.ndarray, light: Light) -> np.ndarray:
    """Brightness from wrapped diffuse light, sky above and a darker rim: (V,)."""
    diffuse = np.clip(normals_V3 @ light.direction * 0.8 + 0.2, 0, 1)
    sky = 0.5 - 0.5 * normals_V3[:, 1]
    rim = 1 - 0.18 * (1 - np.clip(normals_V3[:, 2], 0, 1)) ** 2
    return ((light.ambient * (0.78 + 0.30 * sky) + light.strength * diffuse) * rim).astype(np.float32)


def contact_shadow(depth_HW: np.ndarray, scale: float) -> np.ndarray:
    """Darkening beside nearer things, as by a soft light: (H, W) float32 in about 0.55..1.

    depth_HW: metres towards the viewer, FAR where nothing is.  scale: pixels per metre.
    """
    filled = np.maximum(depth_HW, depth_HW[depth_HW > FAR].min() - 0.1 if (depth_HW > FAR).any() else 0)
    step = max(1, round(scale * 0.012))
    small = cv2.resize(filled, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA) if step > 1 else filled
    sigma = max(0.03 * scale / step, 0.8)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma)
    hidden = np.clip((blurred - small) * 5.0 - 0.02, 0, 0.42)
    if step > 1:
        hidden = cv2.resize(hidden, depth_HW.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return 1 - hidden
