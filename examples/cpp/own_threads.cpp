// own_threads ARTIFACT IMAGE.raw: the answer of classify.cpp, computed on threads of this program:
// two sessions at once, on one executor.
#include <lapis/executable.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <thread>

namespace {

constexpr int kPixels = 28 * 28;
constexpr std::array<const char*, 10> kClasses = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                                  "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};

// A new thread for each part but the first. A program would give the parts to a pool that it has anyway.
class NewThreads final : public lapis::Executor {
 public:
  int threads() const override { return 3; }
  void parallel(int most, const Work& work) override {
    std::vector<std::thread> threads;
    for (int i = 1; i < most; ++i) threads.emplace_back([&, i] { work(i, most); });
    work(0, most);
    for (std::thread& t : threads) t.join();
  }
};

int fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 1;
}

// The number of the most likely class, or -1.
int classify(lapis::Session& session, const std::array<float, kPixels>& image) {
  const auto outputs = session.run({{"image", lapis::TensorView(image.data(), {1, 1, 28, 28})}});
  if (!outputs) return fail(outputs.error().message), -1;
  const auto logits = outputs->at("logits").view<float>();
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return fail("usage: own_threads ARTIFACT IMAGE.raw");
  std::array<unsigned char, kPixels> pixels{};
  if (!std::ifstream(argv[2], std::ios::binary).read(reinterpret_cast<char*>(pixels.data()), kPixels))
    return fail("an image has 28x28 bytes");
  std::array<float, kPixels> image{};
  std::transform(pixels.begin(), pixels.end(), image.begin(),
                 [](int pixel) { return (pixel / 255.0f - 0.2860f) / 0.3530f; });

  const auto executable = lapis::load(argv[1]);
  if (!executable) return fail(executable.error().message);
  const auto executor = std::make_shared<NewThreads>();
  auto first = executable->session({.executor = executor}), second = executable->session({.executor = executor});
  if (!first || !second) return fail("no session");

  int a = -1, b = -1;
  std::thread other([&] { b = classify(*second, image); });
  a = classify(*first, image);
  other.join();
  if (a < 0 || a != b) return fail("the sessions disagree");
  std::printf("%s\n", kClasses[static_cast<size_t>(a)]);
  return 0;
}
