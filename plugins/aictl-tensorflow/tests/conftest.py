"""Small real models, written by TensorFlow where it is: AICTL_TENSORFLOW_PYTHON names that environment's Python."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aictl.core.artifact import Source

# Trained on scikit-learn's digits where that is installed, and on stripes otherwise.
MODELS = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np, tensorflow as tf
os.chdir(sys.argv[1])
keras.utils.set_random_seed(0)
layers = keras.layers
try:
    from sklearn.datasets import load_digits
    digits = load_digits()
    x, y = (digits.images[..., None] / 16).astype("float32"), digits.target
except ImportError:
    y = np.arange(600) % 8
    x = np.random.default_rng(0).normal(size=(600, 8, 8, 1)).astype("float32")
    x[np.arange(600), y] += 3
model = keras.Sequential([
    keras.Input((8, 8, 1), name="image"), layers.Conv2D(8, 3, activation="relu"), layers.BatchNormalization(),
    layers.Flatten(), layers.Dropout(0.2), layers.Dense(10, activation="softmax", name="digit"),
])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x[:500], y[:500], epochs=8, verbose=0)
model.save("digits.keras")
model.export("digits", verbose=False)
model.save("digits.h5")
np.savez("held_out.npz", image=x[500:])
np.savez("labels.npz", labels=y[500:])
np.save("held_out.npy", x[500:])
np.savez("other.npz", image=x[500:, :4])

words, seen = keras.Input((None,), dtype="int32", name="words"), keras.Input((3,), name="seen")
deep = layers.LSTM(6)(layers.Embedding(20, 5)(words))
both = layers.Concatenate()([deep, seen])
keras.Model([words, seen], {"score": layers.Dense(1)(both), "kind": layers.Dense(4)(both)}).save("two.keras")
np.savez("two.npz", words=np.arange(35).reshape(5, 7) % 20, seen=np.ones((5, 3)))

keras.Sequential([keras.Input((3,)), layers.Lambda(lambda t: t + 1, name="plus")]).save("code.keras")

class Own(tf.Module):
    def __init__(self):
        self.weight = tf.Variable(2.0)
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="value")])
    def double(self, value):
        return {"doubled": value * self.weight, "value": value + 1}
class Writes(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="value")])
    def write(self, value):
        tf.io.write_file("was-run", "yes")
        return {"out": value}
class Unknown(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="value")])
    def unknown(self, value):
        return {"out": tf.math.betainc(value, value, value)}
class Texts(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def upper(self, text):
        return {"out": tf.strings.length(text)}
own, writes, unknown, texts = Own(), Writes(), Unknown(), Texts()
tf.saved_model.save(own, "signatures", signatures={"double": own.double})
tf.saved_model.save(writes, "writes", signatures={"serving_default": writes.write})
tf.saved_model.save(unknown, "unknown", signatures={"serving_default": unknown.unknown})
tf.saved_model.save(texts, "texts", signatures={"serving_default": texts.upper})
"""


@pytest.fixture(scope="session")
def python() -> str:
    """The Python that has TensorFlow; skips with the reason where there is none."""
    named = os.environ.get("AICTL_TENSORFLOW_PYTHON")
    if named:
        return named
    if all(importlib.util.find_spec(name) for name in ("tensorflow", "keras", "tf2onnx")):
        return sys.executable
    pytest.skip("no TensorFlow: set AICTL_TENSORFLOW_PYTHON to the Python of an environment that has it")


@pytest.fixture(scope="session")
def models(python, tmp_path_factory) -> Path:
    """A folder with the models above and samples for them."""
    folder = tmp_path_factory.mktemp("models")
    done = subprocess.run([python, "-c", MODELS, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "was-run").unlink(missing_ok=True)
    return folder


@pytest.fixture
def source() -> Callable[[Path], Source]:
    return lambda path: Source(str(path), path, "0" * 64)
