// Pictures from the bytes of their files. Each format is read by the small library that is its reference, or near it:
// OpenCV's reader of all formats loads a hundred and thirty shared libraries when the program starts (docs/adr/0037).
#include <spng.h>
#include <turbojpeg.h>
#include <webp/decode.h>

#include <cstring>
#include <memory>

#include "base/file.h"
#include "tuning/data/image.h"

namespace lapis {
namespace {

constexpr int64_t kMostPixels = 1 << 28;  // a file of a few bytes may claim any size

using Bytes = std::span<const std::byte>;
const uint8_t* data_of(Bytes file) { return reinterpret_cast<const uint8_t*>(file.data()); }

bool begins_with(Bytes file, std::string_view magic, size_t at = 0) {
  return file.size() >= at + magic.size() && std::memcmp(file.data() + at, magic.data(), magic.size()) == 0;
}

Result<Tensor> blank(int64_t width, int64_t height) {
  if (width <= 0 || height <= 0 || width > kMostPixels / height)
    return error(ErrorKind::Input, "a picture of " + std::to_string(width) + " x " + std::to_string(height) +
                                       " pixels, beyond what is read");
  return Tensor(DType::UInt8, {height, width, 3});
}

uint8_t* pixels_of(Tensor& t) { return t.mutable_data<uint8_t>().data(); }

Diagnostic damaged(const std::string& what) { return error(ErrorKind::Input, "a damaged picture: " + what); }

// ---- JPEG -----------------------------------------------------------------------------------------------------------

using Jpeg = std::unique_ptr<void, int (*)(tjhandle)>;

// Encoders that follow Adobe store the complements of ink.
void add_ink(std::span<const uint8_t> cmyk, uint8_t* rgb) {
  for (size_t i = 0; i < cmyk.size(); i += 4)
    for (size_t c = 0; c < 3; ++c) *rgb++ = static_cast<uint8_t>((cmyk[i + c] * cmyk[i + 3] + 127) / 255);
}

// Bytes between segments that belong to none are common and harmless; a picture whose end is missing is not.
bool failed(const Jpeg& jpeg, int code) {
  return code != 0 && (tjGetErrorCode(jpeg.get()) != TJERR_WARNING ||
                       std::string_view(tjGetErrorStr2(jpeg.get())).find("Premature end") != std::string_view::npos);
}

Result<Tensor> decode_jpeg(Bytes file) {
  const Jpeg jpeg(tjInitDecompress(), &tjDestroy);
  if (!jpeg) throw std::bad_alloc();
  int width = 0, height = 0, sampling = 0, colors = 0;
  const auto complaint = [&] { return damaged(tjGetErrorStr2(jpeg.get())); };
  if (failed(jpeg, tjDecompressHeader3(jpeg.get(), data_of(file), file.size(), &width, &height, &sampling, &colors)))
    return complaint();
  LAPIS_TRY(Tensor picture, blank(width, height));
  const auto decode = [&](uint8_t* to, int format) {
    return !failed(jpeg, tjDecompress2(jpeg.get(), data_of(file), file.size(), to, width, 0, height, format, 0));
  };
  if (colors != TJCS_CMYK && colors != TJCS_YCCK)
    return decode(pixels_of(picture), TJPF_RGB) ? Result(picture) : complaint();
  std::vector<uint8_t> ink(static_cast<size_t>(picture.size()) / 3 * 4);
  if (!decode(ink.data(), TJPF_CMYK)) return complaint();
  add_ink(ink, pixels_of(picture));
  return picture;
}

// ---- PNG and WebP ---------------------------------------------------------------------------------------------------

Result<Tensor> decode_png(Bytes file) {
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> png(spng_ctx_new(0), &spng_ctx_free);
  if (!png) throw std::bad_alloc();
  spng_ihdr header{};
  int code = spng_set_png_buffer(png.get(), file.data(), file.size());
  if (code == 0) code = spng_get_ihdr(png.get(), &header);
  if (code != 0) return damaged(spng_strerror(code));
  LAPIS_TRY(Tensor picture, blank(header.width, header.height));
  code = spng_decode_image(png.get(), pixels_of(picture), static_cast<size_t>(picture.size()), SPNG_FMT_RGB8, 0);
  return code == 0 ? Result(picture) : damaged(spng_strerror(code));
}

Result<Tensor> decode_webp(Bytes file) {
  int width = 0, height = 0;
  if (!WebPGetInfo(data_of(file), file.size(), &width, &height)) return damaged("its header cannot be read");
  LAPIS_TRY(Tensor picture, blank(width, height));
  const auto size = static_cast<size_t>(picture.size());
  if (!WebPDecodeRGBInto(data_of(file), file.size(), pixels_of(picture), size, width * 3))
    return damaged("it cannot be decoded, or is an animation");
  return picture;
}

Result<Tensor> decode(Bytes file) {
  if (begins_with(file, "\xff\xd8\xff")) return decode_jpeg(file);
  if (begins_with(file, "\x89PNG")) return decode_png(file);
  if (begins_with(file, "RIFF") && begins_with(file, "WEBP", 8)) return decode_webp(file);
  return error(ErrorKind::Input, "not a picture that is read").help("JPEG, PNG and WebP are");
}

}  // namespace

Result<Tensor> decode_image(std::span<const std::byte> encoded, const std::string& where) {
  Result<Tensor> picture = decode(encoded);
  if (picture.ok()) return picture;
  Diagnostics found = std::move(picture).diagnostics();
  for (Diagnostic& d : found) d.at(where);
  return found;
}

Result<Tensor> decode_image(const std::string& file) {
  LAPIS_TRY(const MappedFile mapped, map_file(Path(file)));
  return decode_image(mapped.bytes(), file);
}

}  // namespace lapis
