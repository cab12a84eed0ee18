"""Count how many digits the accelerator read correctly.

    python examples/accuracy.py RESULT.npz SAMPLES.npz

RESULT.npz comes from `hlsgen run`, SAMPLES.npz holds the true labels.
"""

from __future__ import annotations

import sys

import numpy as np


def main() -> None:
    """Compare the class of the largest logit with the label."""
    logits = np.load(sys.argv[1])["logits"]
    labels = np.load(sys.argv[2])["labels"]
    right = int((logits.argmax(1) == labels).sum())
    print(f"{right} of {len(labels)} digits read correctly ({right / len(labels):.1%})")


if __name__ == "__main__":
    main()
