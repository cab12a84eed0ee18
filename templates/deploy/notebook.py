"""Cells of the notebook that goes to the board: hlsgen/emit/deploy.py makes notebook.ipynb of them."""

# %% [markdown]
# # The accelerator on this board
#
# This notebook loads the accelerator, checks it bit for bit against the shipped test vectors, classifies a few images,
# measures speed and power, and draws both. It installs nothing: `driver.py` needs the image's own NumPy and pynq.
# %%
import os
from pathlib import Path

import numpy as np
import power
from driver import Accelerator
from matplotlib import pyplot

seconds = float(os.environ.get("HLSGEN_SECONDS", "10"))  # of each measurement
accelerator = Accelerator("accel.bit")
print(accelerator)
# %% [markdown]
# ## Does it compute what it should?
#
# Bytes, integers and the model's outputs are compared with those of the golden model. Nothing may differ, but for the
# last bits of floats where the model ends with functions such as Softmax, which run on this CPU.
# %%
checks = accelerator.self_test()
print(*checks, sep="\n")
assert not any(check.wrong for check in checks), "the board does not compute what it should"
# %% [markdown]
# ## A few images
#
# Images come in the ONNX model's own layout. Those shipped are the ones the build was verified with: your samples, if
# you gave any to `hlsgen build --samples`, else made-up patterns.
# %%
feeds = accelerator.example(4)
scores = accelerator.predict(feeds)
scores = next(iter(scores.values())) if isinstance(scores, dict) else scores
flat = scores.reshape(len(scores), -1)
print("images", {name: array.shape for name, array in feeds.items()}, "-> scores", scores.shape)
for number, row in enumerate(flat):
    best = np.argsort(row)[::-1][:3]
    print(f"image {number}:", ", ".join(f"class {index} ({row[index]:.4g})" for index in best))
# %%
images = next(iter(feeds.values()))


def picture(image):
    """An image (C, H, W), (H, W, C) or of any other shape as something to look at."""
    image = np.squeeze(image)
    if image.ndim == 3 and image.shape[0] in (3, 4) and image.shape[-1] not in (3, 4):
        image = image.transpose(1, 2, 0)
    if image.ndim == 1:
        image = image[None]
    if image.ndim > 2 and not (image.ndim == 3 and image.shape[-1] in (3, 4)):
        image = image.reshape(image.shape[0], -1)
    low, high = float(image.min()), float(image.max())
    return (image.astype(np.float64) - low) / ((high - low) or 1.0)


figure, axes = pyplot.subplots(1, len(images), figsize=(8, 2.6))
for number, axis in enumerate(axes):
    axis.imshow(picture(images[number]), cmap="gray", aspect="auto" if np.squeeze(images[number]).ndim < 2 else None)
    axis.set(title=f"class {int(np.argmax(flat[number]))}", xticks=[], yticks=[])
figure.tight_layout()
# %% [markdown]
# ## Speed
#
# The accelerator's own speed comes from its cycle counter and the clock as read back; end to end is `predict()` as a
# program sees it.
# %%
result = accelerator.benchmark(seconds)
print(result)
# %%
figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.2))
milliseconds = 1e3 * np.asarray(result.latencies)
left.hist(milliseconds, bins=40)
for (name, value), style in zip(result.latency_ms.items(), ("-", "--", ":")):
    left.axvline(value, color="tab:red", linestyle=style, label=f"{name} {value:.3g} ms")
left.set(xlabel="latency of one image in ms", ylabel="runs", title="Latency")
left.legend()
split = result.microseconds_per_image
right.barh(list(split), list(split.values()))
right.invert_yaxis()
right.set(xlabel="us per image", title=f"Where the time goes, batches of {result.batch}")
figure.tight_layout()
# %% [markdown]
# ## Power
#
# Idle first, then at work. A board without sensors says so; then put a meter between supply and board, and give its CSV
# file to `report.add_meter("meter.csv")`, or two readings to `power.external(idle_watts, active_watts, fps)`.
# %%
report = power.measure(accelerator, idle_seconds=1.5 * seconds, active_seconds=2.5 * seconds)
print(report)
report.write_csv(Path("power.csv"))
# %%
report.plot()
pyplot.show()
# %%
accelerator.close()
