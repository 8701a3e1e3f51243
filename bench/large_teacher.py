"""Whether a teacher above 2 and 4 GB is read right: makes a random Llama of 1.1 billion parameters, in fp32, as a Hugging Face folder
with two shards and as one GGUF file, scores 2,048 tokens with each, and compares the logits with those of transformers.

    python bench/large_teacher.py --scratch FOLDER [--layers 22]

Needs torch, transformers, safetensors, gguf; 14 GB of disk, 9 GB of memory and, on 2 cores, about 10 minutes. Compile the Java side as
it says when it is not. Exits with 1 where logits differ by more than 1e-4 of the largest.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from peer import Ours, cpu
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).parent / "fixtures"))
from make_tiny_models import add_sizes, add_vocabulary, ggml_name, permute
from tiny_tokenizers import vocabulary

LIMIT = 1e-4
SEQUENCES, LENGTH, K = 4, 513, 32


def shapes(config: LlamaConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in LlamaForCausalLM(config).state_dict().items()}


def values(number: int, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(number)
    scale = 0.1 if len(shape) == 1 else shape[1] ** -0.5
    return (random.standard_normal(shape, np.float32) * np.float32(scale)) + np.float32(len(shape) == 1)


def write_shard(file: Path, tensors: dict[str, tuple[int, tuple[int, ...]]]) -> None:
    """A tensor at a time, where safetensors' own writer wants all of them."""
    header, end = {}, 0
    for name, (_, shape) in tensors.items():
        begin, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(file, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for number, shape in tensors.values():
            values(number, shape).tofile(out)


def write_folder(folder: Path, config: LlamaConfig) -> None:
    folder.mkdir()
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder)
    numbered = {name: (number, shape) for number, (name, shape) in enumerate(shapes(config).items())}
    half = sum(int(np.prod(shape)) for _, shape in numbered.values()) // 2
    shards, count = [{}, {}], 0
    for name, (number, shape) in numbered.items():
        shards[count > half][name] = (number, shape)
        count += int(np.prod(shape))
    index = {}
    for number, tensors in enumerate(shards, start=1):
        file = folder / f"model-{number:05d}-of-00002.safetensors"
        write_shard(file, tensors)
        index |= dict.fromkeys(tensors, file.name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def write_gguf(file: Path, config: LlamaConfig) -> None:
    writer = gguf.GGUFWriter(file, "llama")
    add_sizes(writer, config)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    tokens, merges = vocabulary()
    tokens += [f"<unused{i}>" for i in range(config.vocab_size - len(tokens))]
    add_vocabulary(writer, "smollm", tokens, merges)
    writer.add_eos_token_id(0)
    tensors = shapes(config)
    for name, shape in tensors.items():
        writer.add_tensor_info(ggml_name(name), shape, np.dtype(np.float32), 4 * int(np.prod(shape)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for number, (name, shape) in enumerate(tensors.items()):
        rotary = next((n for part, n in heads.items() if part in name), None)
        stored = values(number, shape)
        writer.write_tensor_data(permute(stored, rotary) if rotary else stored)
    writer.close()


def scored(model: Path, sequences: list[list[int]], vocabulary_size: int, scratch: Path) -> np.ndarray:
    ours = Ours("ONNX", "CPU", "FP32", 2, f"top-{K}", 2048, model, scratch)
    seconds = ours.score(sequences)
    logits = ours.dump(sequences[0], vocabulary_size)[0]
    peak = ours.close()
    shutil.rmtree(scratch)
    size = sum(file.stat().st_size for file in ([model] if model.is_file() else model.iterdir()))
    tokens = sum(len(sequence) - 1 for sequence in sequences)
    print(f"{model.name}: {size / 1e9:.2f} GB, {tokens} tokens in {seconds:.0f} s, peak memory {peak} MiB with the mapped weights")
    return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, required=True, help="created, and deleted at the end")
    parser.add_argument("--layers", type=int, default=22)
    options = parser.parse_args()
    config = LlamaConfig(vocab_size=32_000, hidden_size=2048, intermediate_size=5632, num_hidden_layers=options.layers,
                         num_attention_heads=32, num_key_value_heads=4, max_position_embeddings=1024, rms_norm_eps=1e-5,
                         tie_word_embeddings=False, bos_token_id=0, eos_token_id=0)
    random = np.random.default_rng(0)
    sequences = random.integers(0, config.vocab_size, (SEQUENCES, LENGTH)).tolist()
    options.scratch.mkdir()
    failed = []
    try:
        write_folder(options.scratch / "folder", config)
        logits = {"folder": scored(options.scratch / "folder", sequences, config.vocab_size, options.scratch / "weights")}
        write_gguf(options.scratch / "model.gguf", config)
        logits["model.gguf"] = scored(options.scratch / "model.gguf", sequences, config.vocab_size, options.scratch / "weights")
        torch.set_num_threads(2)
        model = LlamaForCausalLM.from_pretrained(options.scratch / "folder", dtype=torch.float32).eval()
        with torch.no_grad():
            expected = model(torch.tensor([sequences[0][:-1]])).logits[0].numpy()
        print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {cpu()}")
        for name, ours in logits.items():
            worst = float(np.abs(ours - expected).max() / np.abs(expected).max())
            print(f"{name}: {len(ours)} positions, logits within {worst:.1e} of transformers', relative to the largest")
            failed += [name] if not worst <= LIMIT else []
    finally:
        shutil.rmtree(options.scratch)
    sys.exit(f"failed: {failed}" if failed else 0)


if __name__ == "__main__":
    main()
