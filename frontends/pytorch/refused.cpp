// ATen's operators that are known and have no translator: why, and what helps.
#include "frontends/common/reasons.h"
#include "frontends/pytorch/import.h"

namespace lapis::pytorch_frontend {
namespace {

using frontend::reason::kComplex;
using frontend::reason::kRandom;
using frontend::reason::kSparse;
using frontend::reason::kSpectrum;
using frontend::reason::kValues;
constexpr const char* kGiveNumbers = "give the model its random numbers as an input";
constexpr const char* kSolve = "Lapis has nothing that decomposes or solves matrices";
constexpr const char* kOutside = "do it in the program around the model";
constexpr const char* kDense = "make them dense before the model is exported";
constexpr const char* kDynamic =
    "it finds the scale of its operand when the model runs, and rounds otherwise than ONNX does";
constexpr const char* kGradient = "it computes a gradient, and Lapis compiles models that are not trained any more";
constexpr const char* kForward = "export the model's forward() alone, after model.eval()";
constexpr const char* kGamma =
    "no formula of moderate size keeps the digits of gamma functions near their zeros and poles";
constexpr const char* kStatic = "export the float model and quantize it with `lapis quantize`, or quantize statically";

constexpr frontend::Refused kRefused[] = {
    {"aten._adaptive_avg_pool2d_backward", kGradient, kForward},
    {"aten._fft_c2c", kComplex, kSpectrum},
    {"aten._fft_c2r", kComplex, kSpectrum},
    {"aten._fft_r2c", kComplex, kSpectrum},
    {"aten._linalg_det", kSolve, kOutside},
    {"aten._linalg_eigh", kSolve, kOutside},
    {"aten._linalg_svd", kSolve, kOutside},
    {"aten._sparse_mm", kSparse, kDense},
    {"aten._unique2", kValues, kOutside},
    {"aten.avg_pool2d_backward", kGradient, kForward},
    {"aten.bernoulli", kRandom, kGiveNumbers},
    {"aten.bincount", kValues, kOutside},
    {"aten.cholesky", kSolve, kOutside},
    {"aten.complex", kComplex, kSpectrum},
    {"aten.convolution_backward", kGradient, kForward},
    {"aten.digamma", kGamma, kOutside},
    {"aten.embedding_dense_backward", kGradient, kForward},
    {"aten.fft_fft", kComplex, kSpectrum},
    {"aten.fft_fft2", kComplex, kSpectrum},
    {"aten.fft_ifft", kComplex, kSpectrum},
    {"aten.fft_irfft", kComplex, kSpectrum},
    {"aten.fft_rfft", kComplex, kSpectrum},
    {"aten.fft_rfft2", kComplex, kSpectrum},
    {"aten.inverse", kSolve, kOutside},
    {"aten.istft", kComplex, kSpectrum},
    {"aten.lgamma", kGamma, kOutside},
    {"aten.linalg_cholesky", kSolve, kOutside},
    {"aten.linalg_det", kSolve, kOutside},
    {"aten.linalg_eigh", kSolve, kOutside},
    {"aten.linalg_inv", kSolve, kOutside},
    {"aten.linalg_qr", kSolve, kOutside},
    {"aten.linalg_solve", kSolve, kOutside},
    {"aten.linalg_svd", kSolve, kOutside},
    {"aten.max_pool2d_with_indices_backward", kGradient, kForward},
    {"aten.multinomial", kRandom, kGiveNumbers},
    {"aten.mvlgamma", kGamma, kOutside},
    {"aten.native_group_norm_backward", kGradient, kForward},
    {"aten.native_layer_norm_backward", kGradient, kForward},
    {"aten.normal", kRandom, kGiveNumbers},
    {"aten.polar", kComplex, kSpectrum},
    {"aten.polygamma", kGamma, kOutside},
    {"aten.rand", kRandom, kGiveNumbers},
    {"aten.rand_like", kRandom, kGiveNumbers},
    {"aten.randint", kRandom, kGiveNumbers},
    {"aten.randn", kRandom, kGiveNumbers},
    {"aten.randn_like", kRandom, kGiveNumbers},
    {"aten.randperm", kRandom, kGiveNumbers},
    {"aten.sparse_mask", kSparse, kDense},
    {"aten.special_digamma", kGamma, kOutside},
    {"aten.special_gammaln", kGamma, kOutside},
    {"aten.special_multigammaln", kGamma, kOutside},
    {"aten.special_polygamma", kGamma, kOutside},
    {"aten.special_psi", kGamma, kOutside},
    {"aten.stft", kComplex, kSpectrum},
    {"aten.to_sparse", kSparse, kDense},
    {"aten.unique", kValues, kOutside},
    {"aten.unique_consecutive", kValues, kOutside},
    {"aten.view_as_complex", kComplex, kSpectrum},
    {"aten.view_as_real", kComplex, kSpectrum},
    {"quantized.linear_dynamic", kDynamic, kStatic},
    {"quantized.linear_relu_dynamic", kDynamic, kStatic},
};

}  // namespace

std::span<const frontend::Refused> refused() { return kRefused; }

}  // namespace lapis::pytorch_frontend
