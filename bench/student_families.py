"""Trains a tiny student of every family that teaches, and sets its folder and its exports against transformers.

    python bench/student_families.py [--only qwen2 qwen3]

Each begins with a tiny random model that transformers made, but the last, which begins at random; all learn one epoch from the
same teacher. Needs torch, transformers, tokenizers, gguf, onnxruntime, and what `mvn package -DskipTests` builds. Exits with 1
where logits are further apart than 1e-4, or a folder is not of its family.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from export_parity import parity
from peer import ROOT, label, potstill

sys.path.insert(0, str(ROOT / "bench/fixtures"))
from make_tiny_models import LLAMA3, randomize
from tiny_tokenizers import vocabulary
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import AutoConfig, AutoModelForCausalLM

ROWS = 304
SHAPE = dict(vocab_size=ROWS, hidden_size=48, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=512, rms_norm_eps=1e-5)
DEFAULT = {"rope_type": "default", "rope_theta": 10_000.0}
WINDOWS = ["full_attention", "sliding_attention", "full_attention"]
# Name to the family, the model to begin with, and settings.
STUDENTS = {
    "llama": ("llama", dict(head_dim=20, tie_word_embeddings=True), {}),
    "llama3": ("llama", dict(head_dim=16, tie_word_embeddings=False, attention_bias=True, mlp_bias=True,
                             rope_parameters=DEFAULT | LLAMA3), {}),
    "llama 3.2": ("llama", dict(head_dim=16, tie_word_embeddings=True, rope_parameters={
        **LLAMA3, "factor": 32.0, "original_max_position_embeddings": 8192, "rope_theta": 500_000.0}), {}),
    "mistral": ("mistral", dict(head_dim=16, tie_word_embeddings=False, sliding_window=11), {}),
    "qwen2": ("qwen2", dict(tie_word_embeddings=True), {}),
    "qwen2 with windows": ("qwen2", dict(tie_word_embeddings=False, use_sliding_window=True, sliding_window=7, max_window_layers=1), {}),
    "qwen3": ("qwen3", dict(head_dim=32, tie_word_embeddings=True), {}),
    "qwen3 with windows": ("qwen3", dict(head_dim=16, tie_word_embeddings=False, attention_bias=True, use_sliding_window=True,
                                         sliding_window=5, layer_types=WINDOWS), {}),
    "smollm3": ("smollm3", dict(head_dim=16, tie_word_embeddings=True, no_rope_layers=[1, 0, 1]), {}),
    "granite": ("granite", dict(head_dim=16, tie_word_embeddings=True, embedding_multiplier=6.0, residual_multiplier=0.22,
                                attention_multiplier=0.4, logits_scaling=4.0), {}),
    "phi3": ("phi3", dict(tie_word_embeddings=False, sliding_window=11), {}),
    "olmo2": ("olmo2", dict(tie_word_embeddings=False), {}),
    "gemma3": ("gemma3_text", dict(head_dim=16, tie_word_embeddings=True, query_pre_attn_scalar=20, sliding_window=9, layer_types=WINDOWS,
                                   rope_parameters={"full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e6},
                                                    "sliding_attention": DEFAULT}), {}),
    "qwen3 with yarn": ("qwen3", dict(head_dim=16, tie_word_embeddings=True, rope_parameters=DEFAULT | {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}), {}),
    "two layers of three": ("qwen2", dict(tie_word_embeddings=True, use_sliding_window=True, sliding_window=7, layer_types=WINDOWS),
                            {"student.layers": 2, "student.init-layers": "first"}),
    "a longer table": ("qwen2", dict(tie_word_embeddings=True, vocab_size=ROWS + 128), {}),
    "a shorter table": ("qwen3", dict(head_dim=32, tie_word_embeddings=True, vocab_size=ROWS - 8), {}),
    "from nothing": ("qwen3", None, {"student.family": "qwen3", "student.head-dim": 32, "student.hidden-size": 48, "student.heads": 4,
                                     "student.kv-heads": 1, "student.intermediate-size": 40, "student.layers": 3,
                                     "student.tie-embeddings": "false", "student.sliding-window": 9, "student.sliding-from-layer": 1,
                                     "student.rope-scaling.factor": 8, "student.rope-scaling.original-positions": 64}),
}


def write_tokenizer(folder: Path) -> None:
    tokens, merges = vocabulary()
    tokenizer = Tokenizer(BPE({t: i for i, t in enumerate(tokens)}, [tuple(m.split(" ")) for m in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": None, "eos_token": "<|endoftext|>"}))


def write_model(family: str, shape: dict, seed: int, folder: Path) -> Path:
    config = AutoConfig.for_model(family, pad_token_id=None, bos_token_id=None, eos_token_id=0, **{"rope_parameters": DEFAULT, **SHAPE, **shape})
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        randomize(model, seed)
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def write_corpus(folder: Path) -> Path:
    words = "the of and to in is that for it was on with as by at be this from are have pot still grain barley yeast wash".split()
    folder.mkdir()
    for i in range(12):
        draw = random.Random(i)
        (folder / f"{i}.txt").write_text(" ".join(draw.choice(words) for _ in range(300)))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(STUDENTS))
    only = parser.parse_args().only
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        teacher = write_model("llama", dict(tie_word_embeddings=True), 1, folder / "teacher")
        settings = {"corpus.path": write_corpus(folder / "corpus"), "teacher.path": teacher, "teacher.device": "cpu",
                    "sequence-length": 256, "targets.k": 16, "cache.path": f"{folder}/cache", "corpus.holdout": 0,
                    "teacher.scratch": f"{folder}/scratch", "spark.master": '"local[2]"'}
        label(folder, settings)
        for number, (name, (family, shape, own)) in enumerate(STUDENTS.items()):
            if name not in only:
                continue
            student = folder / f"student-{number}"
            begin = {} if shape is None else {"student.init": write_model(family, shape, number + 2, folder / f"begin-{number}")}
            potstill("train", settings | {"student.path": student, "train.workers": 1} | begin | own, stdout=subprocess.DEVNULL)
            print(f"\n{name}", flush=True)
            wrong = parity(student, texts=False)
            written = json.loads((student / "config.json").read_text())
            if written["model_type"] != family:
                wrong.append(f"model_type is {written['model_type']}")
            failed += [f"{name}: {each}" for each in wrong]
    sys.exit(f"failed: {failed}" if failed else 0)


if __name__ == "__main__":
    main()
