/* classify_artifact ARTIFACT IMAGE.raw: the same answer as classify.cpp, in C, from a model that was compiled before. */
#include <lapis/lapis_c.h>
#include <stdio.h>

enum { kPixels = 28 * 28, kClasses = 10 };
static const char* const kNames[kClasses] = {"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"};

static int fail(const char* message) {
  fprintf(stderr, "%s\n", message);
  return 1;
}

static int read_image(const char* path, float* values) {
  unsigned char pixels[kPixels];
  FILE* file = fopen(path, "rb");
  if (!file) return 0;
  const size_t count = fread(pixels, 1, kPixels, file);
  fclose(file);
  for (size_t i = 0; i < count; ++i) values[i] = (pixels[i] / 255.0f - 0.2860f) / 0.3530f;
  return count == kPixels;
}

int main(int argc, char** argv) {
  float image[kPixels], logits[kClasses];
  if (argc != 3) return fail("usage: classify_artifact ARTIFACT IMAGE.raw");
  if (!read_image(argv[2], image)) return fail("an image has 28x28 bytes");

  lapis_executable* executable = lapis_load(argv[1]);
  if (!executable) return fail(lapis_last_error());
  if (lapis_input_info(executable, 0).bytes != sizeof image || lapis_output_info(executable, 0).bytes != sizeof logits) return fail("not the Fashion-MNIST model");
  lapis_session* session = lapis_session_create(executable, 1);
  if (!session) return fail(lapis_last_error());
  const void* inputs[] = {image};
  void* outputs[] = {logits};
  if (lapis_run(session, inputs, outputs) != 0) return fail(lapis_last_error());
  lapis_session_destroy(session);
  lapis_executable_destroy(executable);

  int best = 0;
  for (int i = 1; i < kClasses; ++i)
    if (logits[i] > logits[best]) best = i;
  printf("%s (logit %.3f)\n", kNames[best], logits[best]);
  return 0;
}
