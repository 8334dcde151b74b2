// MXNet's operators that are known and have no translator: why, and what helps.
#include "frontends/common/reasons.h"
#include "frontends/mxnet/import.h"

namespace lapis::mxnet_frontend {
namespace {

using frontend::reason::kBoxes;
using frontend::reason::kPython;
using frontend::reason::kRandom;
constexpr const char* kCutBoxes = "end the symbol before it, and choose boxes in the program around it";
constexpr const char* kShifted = "its integers are scaled and shifted by numbers that oneDNN finds at run time";
constexpr const char* kFloat = "import the float symbol, and quantize it with `lapis quantize`";
constexpr const char* kFused = "it is a fused kernel of one library";
constexpr const char* kPlain = "save the symbol before it is optimized for a backend";
constexpr const char* kSparse = "it works on sparse arrays";
constexpr const char* kDense = "make them dense before the model is saved";
constexpr const char* kGiveNumbers = "give the model its random numbers as an input";
constexpr const char* kAsOperators = "write it with operators of MXNet";

constexpr frontend::Refused kRefused[] = {
    {"Custom", kPython, kAsOperators},
    {"_NDArray", kPython, kAsOperators},
    {"_Native", kPython, kAsOperators},
    {"_TensorRT", kFused, kPlain},
    {"_contrib_MultiBoxTarget", kBoxes, kCutBoxes},
    {"_contrib_MultiProposal", kBoxes, kCutBoxes},
    {"_contrib_Proposal", kBoxes, kCutBoxes},
    {"_contrib_quantize_asym", kShifted, kFloat},
    {"_contrib_quantized_rnn", kShifted, kFloat},
    {"_random_normal", kRandom, kGiveNumbers},
    {"_random_uniform", kRandom, kGiveNumbers},
    {"_sample_multinomial", kRandom, kGiveNumbers},
    {"_sample_normal", kRandom, kGiveNumbers},
    {"_sample_uniform", kRandom, kGiveNumbers},
    {"_sg_mkldnn_selfatt_qk", kFused, kPlain},
    {"_sg_mkldnn_selfatt_valatt", kFused, kPlain},
    {"_shuffle", kRandom, kGiveNumbers},
    {"_sparse_retain", kSparse, kDense},
    {"cast_storage", kSparse, kDense},
};

}  // namespace

std::span<const frontend::Refused> refused() { return kRefused; }

}  // namespace lapis::mxnet_frontend
