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
    """scale_F: pixels per metre at the person.  centre_F2: world x, y at the middle.  size: (width, height)."""

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


def over(below: Shot, above: Shot, reach_P: np.ndarray) -> tuple[Shot, Shot]:
    """Which of two shots is seen at each pixel: both without their hidden pixels.

    reach_P: per part of `below`, how far (metres) `above` may lie behind it and still cover it, as cloth covers skin.
    """
    size = below.raster.shape[0] * below.raster.shape[1]
    depth, covers = np.full(size, FAR, np.float32), np.zeros(size, np.float32)
    depth[below.raster.pixels_N] = below.raster.depth_N
    covers[below.raster.pixels_N] = reach_P[below.part_N]
    pixels = above.raster.pixels_N
    seen = above.select(above.raster.depth_N + covers[pixels] > depth[pixels])
    free = np.ones(size, bool)
    free[seen.raster.pixels_N] = False
    return below.select(free[below.raster.pixels_N]), seen


def joined(first: Shot, second: Shot) -> Shot:
    """Two shots without common pixels as one; the second's triangle numbers lose their meaning."""
    a, b = first.raster, second.raster
    raster = Raster(
        np.concatenate([a.pixels_N, b.pixels_N]),
        np.concatenate([a.triangles_N, b.triangles_N]),
        np.concatenate([a.weights_2N, b.weights_2N], 1),
        np.concatenate([a.depth_N, b.depth_N]),
        a.shape,
    )
    fields = ("rgb_N3", "light_N", "part_N")
    return Shot(raster, *(np.concatenate([getattr(first, f), getattr(second, f)]) for f in fields))


def sample(texture_HWC: np.ndarray, uv_N2: np.ndarray) -> np.ndarray:
    """Bilinear texture look-up at N positions (x, y in texture pixels): (N, C). Outside is clamped to the edge."""
    count, row = len(uv_N2), 256
    padded = np.zeros((-(-max(count, 1) // row) * row, 2), np.float32)
    padded[:count] = uv_N2
    maps = padded.reshape(-1, row, 2)
    colours = cv2.remap(texture_HWC, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # pyright: ignore
    return colours.reshape(-1, texture_HWC.shape[2])[:count]


def shoot(mesh: Mesh, texture_HW4: np.ndarray, screen_FV3: np.ndarray, frames: slice, light: Light, shape) -> Shot:
    """Draw some frames of a mesh, standing on each other in one tall picture.

    screen_FV3: the projected vertices of all frames.  shape: (H, W) of one frame.
    """
    screen_FV3, normals_FV3 = screen_FV3[frames], mesh.normals_FV3[frames]
    count, vertices = screen_FV3.shape[:2]
    rows = np.arange(count, dtype=np.int64)[:, None, None]
    tall_FV3 = screen_FV3 + rows * np.array([0, shape[0], 0], np.float32)
    triangles_T3 = (mesh.triangles_T3 + rows * vertices).reshape(-1, 3)
    uv_FV2 = np.broadcast_to(mesh.uv_V2, (count, vertices, 2))
    values_VC = np.concatenate([uv_FV2, light_vertices(normals_FV3, light)[..., None]], -1).reshape(-1, 3)
    holes = _holes(mesh, texture_HW4) if mesh.cut_T.any() else None
    tall = (count * shape[0], shape[1])
    raster = rasterise(tall_FV3.reshape(-1, 3).astype(np.float32), triangles_T3, tall, holes, count)
    values = raster.interpolate(values_VC, triangles_T3)
    rgba = sample(texture_HW4, values[:, :2])
    return Shot(raster, rgba[:, :3], values[:, 2], mesh.part_T[raster.triangles_N % len(mesh.part_T)])


def trim(mesh: Mesh, texture_HW4: np.ndarray) -> Mesh:
    """Drop the triangles whose texture is all holes, and mark as cut only those that touch a hole."""
    hole_HW = cv2.integral((texture_HW4[..., 3] < 128).astype(np.uint8))
    corners_T32 = mesh.uv_V2[mesh.triangles_T3]
    limit = np.array(texture_HW4.shape[1::-1])
    low = np.clip(np.floor(corners_T32.min(1)), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(corners_T32.max(1)) + 1, low + 1, limit).astype(int)
    count = hole_HW[high[:, 1], high[:, 0]] - hole_HW[low[:, 1], high[:, 0]]
    count = count - hole_HW[high[:, 1], low[:, 0]] + hole_HW[low[:, 1], low[:, 0]]
    keep = ~mesh.cut_T | (count < (high - low).prod(1))
    triangles = mesh.triangles_T3[keep], mesh.part_T[keep], (mesh.cut_T & (count > 0))[keep]
    return Mesh(mesh.vertices_FV3, mesh.normals_FV3, mesh.uv_V2, *triangles)


def _holes(mesh: Mesh, texture_HW4: np.ndarray) -> Discard:
    """Fragments whose nearest texel is mostly transparent, of the triangles that may have holes."""
    alpha = texture_HW4[..., 3]
    limit = np.array(alpha.shape[::-1]) - 1
    a, b, c = (mesh.uv_V2[mesh.triangles_T3[:, i]] for i in range(3))
    names = len(mesh.cut_T)

    def discard(triangle_P, b1_P, b2_P):
        triangle_P = triangle_P % names
        hole = np.zeros(len(triangle_P), bool)
        test = np.flatnonzero(mesh.cut_T[triangle_P])
        if len(test):
            name, b1, b2 = triangle_P[test], b1_P[test, None], b2_P[test, None]
            uv = a[name] + (b - a)[name] * b1 + (c - a)[name] * b2
            x, y = np.clip(uv + 0.5, 0, limit).astype(np.int32).T
            hole[test] = alpha[y, x] < 128
        return hole

    return discard


def light_vertices(normals_V3: np.ndarray, light: Light) -> np.ndarray:
    """Brightness from wrapped diffuse light, sky above and a darker rim: (..., V)."""
    diffuse = np.clip(normals_V3 @ light.direction * 0.8 + 0.2, 0, 1)
    sky = 0.5 - 0.5 * normals_V3[..., 1]
    rim = 1 - 0.18 * (1 - np.clip(normals_V3[..., 2], 0, 1)) ** 2
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
