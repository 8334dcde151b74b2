"""Architectures of torchvision and transformers with random weights, as torch.export and torch.jit.trace save them: see ../architectures.py.

    pip install torch torchvision transformers
"""
import numpy as np
import torch

import common  # beside this file

VISION = {"alexnet": 224, "convnext_tiny": 224, "densenet121": 224, "efficientnet_b0": 224, "googlenet": 224, "inception_v3": 299, "mnasnet1_0": 224,
          "mobilenet_v2": 224, "mobilenet_v3_small": 224, "regnet_y_400mf": 224, "resnet18": 224, "resnet50": 224, "resnext50_32x4d": 224,
          "shufflenet_v2_x1_0": 224, "squeezenet1_1": 224, "swin_t": 224, "vgg11_bn": 224, "vit_b_32": 224}
SMALL = {"vocab_size": 1000, "hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 256}
# Class, its configuration, whether it decodes as well.
LANGUAGE = {
    "bert": ("BertModel", "BertConfig", SMALL),
    "roberta": ("RobertaModel", "RobertaConfig", SMALL),
    "electra": ("ElectraModel", "ElectraConfig", SMALL | {"embedding_size": 64}),
    "distilbert": ("DistilBertModel", "DistilBertConfig", {"vocab_size": 1000, "dim": 128, "n_layers": 3, "n_heads": 4, "hidden_dim": 256}),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {"vocab_size": 1000, "n_embd": 128, "n_layer": 3, "n_head": 4}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", SMALL | {"num_key_value_heads": 2}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", SMALL | {"num_key_value_heads": 2}),
    "t5": ("T5ForConditionalGeneration", "T5Config", {"vocab_size": 1000, "d_model": 128, "d_ff": 256, "num_layers": 2, "num_heads": 4, "d_kv": 32}),
    "bart": ("BartForConditionalGeneration", "BartConfig",
             {"vocab_size": 1000, "d_model": 128, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
              "encoder_ffn_dim": 256, "decoder_ffn_dim": 256}),
}
WITH_DECODER = {"t5", "bart"}


class Logits(torch.nn.Module):
    """Only the tensor that matters of a model of transformers."""

    def __init__(self, model, with_decoder):
        super().__init__()
        self.model, self.with_decoder = model, with_decoder

    def forward(self, input_ids, attention_mask, decoder_input_ids=None):
        more = {"decoder_input_ids": decoder_input_ids} if self.with_decoder else {}
        return self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False, return_dict=True, **more)[0] if self.uses_cache() else \
            self.model(input_ids=input_ids, attention_mask=attention_mask, return_dict=True, **more)[0]

    def uses_cache(self):
        return hasattr(self.model.config, "use_cache")


def with_values(model):
    """Batch normalization that does something, and no layer whose weights begin as zeros."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, 0, 0.05)
    return model


def vision(name):
    import torchvision
    more = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    model = with_values(getattr(torchvision.models, name)(weights=None, **more)).eval()
    return model, [torch.rand(1, 3, VISION[name], VISION[name])]


def language(name):
    import transformers
    kind, config, sizes = LANGUAGE[name]
    model = getattr(transformers, kind)(getattr(transformers, config)(**sizes)).eval()
    ids, mask = torch.randint(3, 1000, (2, 24)), torch.ones(2, 24, dtype=torch.int64)
    mask[1, 17:] = 0
    inputs = [ids, mask] + ([torch.randint(3, 1000, (2, 9))] if name in WITH_DECODER else [])
    return Logits(model, name in WITH_DECODER).eval(), inputs


def make(name, folder):
    torch.manual_seed(0)
    model, inputs = vision(name) if name in VISION else language(name)
    with torch.no_grad():
        result = model(*inputs)
        torch.export.save(torch.export.export(model, tuple(inputs)), str(folder / "model.pt2"))
        models = {".pt2": "model.pt2"}
        if name in VISION:
            torch.jit.trace(model, tuple(inputs)).save(str(folder / "model.pt"))
            models[".pt"] = "model.pt"
    common.record(folder, models, [t.numpy() for t in inputs], [np.asarray(result)])


if __name__ == "__main__":
    common.main({"torchvision": list(VISION), "transformers": list(LANGUAGE)}, make, f"PyTorch {torch.__version__.split('+')[0]}")
