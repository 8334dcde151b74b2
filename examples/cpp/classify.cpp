// classify MODEL.onnx IMAGE.raw [ARTIFACT]: what is in a picture of 28x28 bytes?
// With ARTIFACT, also saves the compiled model there.
#include <lapis/lapis.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

namespace {

constexpr int kPixels = 28 * 28;
constexpr std::array<const char*, 10> kClasses = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                                  "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};

int fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 1;
}

// The preprocessing the model was trained with (examples/fashion_mnist/README.md).
std::array<float, kPixels> normalized(const std::array<unsigned char, kPixels>& image) {
  std::array<float, kPixels> values{};
  std::transform(image.begin(), image.end(), values.begin(),
                 [](unsigned char pixel) { return (pixel / 255.0f - 0.2860f) / 0.3530f; });
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return fail("usage: classify MODEL.onnx IMAGE.raw [ARTIFACT]");
  std::array<unsigned char, kPixels> image{};
  if (!std::ifstream(argv[2], std::ios::binary).read(reinterpret_cast<char*>(image.data()), kPixels))
    return fail("an image has 28x28 bytes");
  const std::array<float, kPixels> values = normalized(image);

  const auto executable = lapis::compile(argv[1]);
  if (!executable) return fail(executable.error().message);
  auto session = executable->session();
  if (!session) return fail(session.error().message);
  const auto outputs = session->run({{"image", lapis::TensorView(values.data(), {1, 1, 28, 28})}});
  if (!outputs) return fail(outputs.error().message);

  const auto logits = outputs->at("logits").view<float>();
  const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  std::printf("%s (logit %.3f), compiled for %s\n", kClasses[static_cast<size_t>(best)],
              logits[static_cast<size_t>(best)], executable->target().c_str());
  if (argc == 3) return 0;
  const auto saved = executable->save(argv[3]);
  return saved ? 0 : fail(saved.error().message);
}
