// The rows of the kernel table (codegen/kernels/table.h):
// they stand here because a row knows its emitter, which codegen/kernels does not.
#include "codegen/kernels/structures.h"
#include "codegen/onednn/row.h"
#include "codegen/x86/kernels.h"

namespace lapis::kernels {
namespace {

constexpr DType kF32 = DType::Float32, kBf16 = DType::BFloat16, kU8 = DType::UInt8, kS8 = DType::Int8,
                kS32 = DType::Int32;

constexpr Structure kPanels = {WeightFormat::Panels, fits_panels, most_pixels_of_panels, panel_tile_cycles,
                               x86::emit_contraction};
constexpr Structure kMatrixTiles = {WeightFormat::Panels, fits_panels, most_pixels_of_tiles, matrix_tile_cycles,
                                    x86::emit_matrix_tiles};
constexpr Structure kTaps = {WeightFormat::Taps, fits_depthwise, most_pixels_of_taps, taps_tile_cycles,
                             x86::emit_depthwise_float};
constexpr Structure kInterleaved = {WeightFormat::Interleaved, fits_depthwise, most_pixels_interleaved,
                                    interleaved_tile_cycles, x86::emit_depthwise_bytes};
constexpr Structure kOneDnn = {WeightFormat::Library,  onednn::fits,     nullptr, nullptr,
                               x86::emit_library_call, &onednn::kLibrary};

// clang-format off
constexpr Kernel kTable[] = {
    // name                      a     b     sum   dot       lanes nr needs            structure
    {"conv_f32_avx512",          kF32, kF32, kF32, Dot::Fma,  16, 4, Isa::Avx512,      kPanels},
    {"conv_bf16_avx512bf16",     kBf16, kBf16, kF32, Dot::Bf16, 16, 4, Isa::Avx512Bf16, kPanels},
    {"conv_bf16_amx",            kBf16, kBf16, kF32, Dot::TileBf16, 16, 4, Isa::AmxBf16, kMatrixTiles},
    {"conv_u8s8_amx",            kU8,  kS8,  kS32, Dot::Tile, 16, 4, Isa::AmxInt8,     kMatrixTiles},
    {"conv_s8s8_amx",            kS8,  kS8,  kS32, Dot::Tile, 16, 4, Isa::AmxInt8,     kMatrixTiles},
    {"conv_u8s8_avx512vnni",     kU8,  kS8,  kS32, Dot::Vnni, 16, 4, Isa::Avx512Vnni,  kPanels},
    {"conv_s8s8_avx512vnni",     kS8,  kS8,  kS32, Dot::Vnni, 16, 4, Isa::Avx512Vnni,  kPanels},
    {"conv_u8s8_avx512",         kU8,  kS8,  kS32, Dot::Madd, 16, 4, Isa::Avx512,      kPanels},
    {"conv_s8s8_avx512",         kS8,  kS8,  kS32, Dot::Madd, 16, 4, Isa::Avx512,      kPanels},
    {"conv_u8s8_avx512vnni_ymm", kU8,  kS8,  kS32, Dot::Vnni, 8,  4, Isa::Avx512Vnni,  kPanels},
    {"conv_s8s8_avx512vnni_ymm", kS8,  kS8,  kS32, Dot::Vnni, 8,  4, Isa::Avx512Vnni,  kPanels},
    {"conv_u8s8_avxvnni",        kU8,  kS8,  kS32, Dot::Vnni, 8,  4, Isa::AvxVnni,     kPanels},
    {"conv_s8s8_avxvnni",        kS8,  kS8,  kS32, Dot::Vnni, 8,  4, Isa::AvxVnni,     kPanels},
    {"conv_f32_avx2",            kF32, kF32, kF32, Dot::Fma,  8,  4, Isa::Avx2,        kPanels},
    {"conv_u8s8_avx2",           kU8,  kS8,  kS32, Dot::Madd, 8,  2, Isa::Avx2,        kPanels},
    {"conv_s8s8_avx2",           kS8,  kS8,  kS32, Dot::Madd, 8,  2, Isa::Avx2,        kPanels},
    {"dw_f32_avx512",            kF32, kF32, kF32, Dot::Fma,  16, 4, Isa::Avx512,      kTaps},
    {"dw_u8s8_avx512vnni",       kU8,  kS8,  kS32, Dot::Vnni, 16, 4, Isa::Avx512Vnni,  kInterleaved},
    {"dw_s8s8_avx512vnni",       kS8,  kS8,  kS32, Dot::Vnni, 16, 4, Isa::Avx512Vnni,  kInterleaved},
    {"dw_u8s8_avx512",           kU8,  kS8,  kS32, Dot::Madd, 16, 4, Isa::Avx512,      kInterleaved},
    {"dw_s8s8_avx512",           kS8,  kS8,  kS32, Dot::Madd, 16, 4, Isa::Avx512,      kInterleaved},
    {"dw_u8s8_avx512vnni_ymm",   kU8,  kS8,  kS32, Dot::Vnni, 8,  4, Isa::Avx512Vnni,  kInterleaved},
    {"dw_s8s8_avx512vnni_ymm",   kS8,  kS8,  kS32, Dot::Vnni, 8,  4, Isa::Avx512Vnni,  kInterleaved},
    {"dw_u8s8_avxvnni",          kU8,  kS8,  kS32, Dot::Vnni, 8,  4, Isa::AvxVnni,     kInterleaved},
    {"dw_s8s8_avxvnni",          kS8,  kS8,  kS32, Dot::Vnni, 8,  4, Isa::AvxVnni,     kInterleaved},
    {"dw_f32_avx2",              kF32, kF32, kF32, Dot::Fma,  8,  4, Isa::Avx2,        kTaps},
    {"dw_u8s8_avx2",             kU8,  kS8,  kS32, Dot::Madd, 8,  4, Isa::Avx2,        kInterleaved},
    {"dw_s8s8_avx2",             kS8,  kS8,  kS32, Dot::Madd, 8,  4, Isa::Avx2,        kInterleaved},
    {"onednn_f32",               kF32, kF32, kF32, Dot::Fma,  8,  0, Isa::Avx2,        kOneDnn},
};
// clang-format on

}  // namespace

std::span<const Kernel> table() { return kTable; }

}  // namespace lapis::kernels
