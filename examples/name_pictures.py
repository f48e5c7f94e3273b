"""What is in a picture? EfficientNet-Lite0, which learned 1,000 kinds of things from ImageNet, on scikit-image's pictures.

    python examples/name_pictures.py [PICTURE ...]

Without the weights it guesses; that is printed first. Leaves in out/: name_pictures.png, each picture with five guesses.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tinygrad_act as ta
from tinygrad_act import pretrained

# ---- settings ------------------------------------------------------------------------------------------------
PICTURES = {                        # the classes that fit; the clock is a blurred one, and for an astronaut there is no class
    "cat": ("tabby", "tiger cat", "Egyptian cat"), "coffee": ("espresso", "cup", "coffee mug"), "rocket": ("missile", "projectile"),
    "camera": ("tripod", "reflex camera"), "clock": ("analog clock", "wall clock"), "astronaut": (),
}
TOP = 5
SEED = 0
OUT = Path("out")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("pictures", nargs="*", type=Path, help="your own, instead of scikit-image's")
parser.add_argument("--seed", type=int, default=SEED)
parser.add_argument("--out", type=Path, default=OUT)
parser.add_argument("--short", action="store_true", help="two pictures")
settings = parser.parse_args()
settings.out.mkdir(parents=True, exist_ok=True)
ta.manual_seed(settings.seed)

# ---- pictures, uint8 (height, width, 3), and the network ------------------------------------------------------
if settings.pictures:
    images = {path.name: pretrained.read_picture(path) for path in settings.pictures}
else:
    images = {name: pretrained.sample_picture(name) for name in list(PICTURES)[:2 if settings.short else None]}
model = pretrained.efficientnet_lite0()
untrained = pretrained.EfficientNetLite("lite0", names=model.names)

before = {name: untrained.name(image, TOP) for name, image in images.items()}       # [(class, probability), ...]
after = {name: model.name(image, TOP) for name, image in images.items()}
for name in images:
    print(f"{name:10} before: {before[name][0][0]} ({before[name][0][1]:.1%}); after: "
          + ", ".join(f"{label} ({p:.1%})" for label, p in after[name][:3]))

# ---- the picture of pictures ---------------------------------------------------------------------------------
columns = min(2, len(images))
figure, axes = plt.subplots(math.ceil(len(images) / columns), 2 * columns, figsize=(6.5 * columns, 2.2 * math.ceil(len(images) / columns)),
                            layout="constrained", squeeze=False, width_ratios=[1, 1.5] * columns)
for ax in axes.flat:
    ax.axis("off")
for (name, image), (left, right) in zip(images.items(), axes.reshape(-1, 2), strict=False):
    left.imshow(image.tolist())
    left.set_title(name)
    right.axis("on")
    right.barh(range(TOP), [p for _, p in after[name]], color="#9fb4e8")
    for i, (label, p) in enumerate(after[name]):
        right.text(0.01, i, f"{label}  {p:.1%}", va="center", fontsize=9)
    right.set(xlim=(0, 1), ylim=(TOP - 0.4, -0.6), yticks=(), xticks=(0, 0.5, 1))
    right.spines[["top", "right"]].set_visible(False)
figure.savefig(settings.out / "name_pictures.png", dpi=90)

known = [name for name in images if PICTURES.get(name)]
right = sum(after[name][0][0] in PICTURES[name] for name in known)
print(f"{right} of the {len(known)} pictures that ImageNet has a class for are named right at the first guess (chance: 1 in 1,000). "
      f"Picture: {settings.out}/name_pictures.png")
