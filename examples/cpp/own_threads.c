/* own_threads_c ARTIFACT IMAGE.raw: the answer of classify_artifact.c, computed on threads of this program. */
#include <lapis/lapis_c.h>
#include <pthread.h>
#include <stdio.h>

enum { kPixels = 28 * 28, kClasses = 10, kThreads = 3 };
static const char* const kNames[kClasses] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                             "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};

typedef struct task {
  pthread_t thread;
  lapis_part part;
  void* work;
  int index, count;
} task;

static void* run_task(void* argument) {
  task* t = argument;
  t->part(t->work, t->index, t->count);
  return NULL;
}

static int thread_count(void* context) {
  (void)context;
  return kThreads;
}

/* A new thread for each part but the first; where the system refuses one, the caller does its part. */
static void parallel(void* context, int most, lapis_part part, void* work) {
  task tasks[kThreads];
  int started[kThreads] = {0};
  (void)context;
  for (int i = 1; i < most; ++i) {
    tasks[i] = (task){.part = part, .work = work, .index = i, .count = most};
    started[i] = pthread_create(&tasks[i].thread, NULL, run_task, &tasks[i]) == 0;
  }
  part(work, 0, most);
  for (int i = 1; i < most; ++i) {
    if (started[i])
      pthread_join(tasks[i].thread, NULL);
    else
      part(work, i, most);
  }
}

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
  if (argc != 3) return fail("usage: own_threads_c ARTIFACT IMAGE.raw");
  if (!read_image(argv[2], image)) return fail("an image has 28x28 bytes");

  lapis_executable* executable = lapis_load(argv[1]);
  if (!executable) return fail(lapis_last_error());
  const lapis_executor executor = {NULL, thread_count, parallel, 0};
  lapis_session* session = lapis_session_create_on(executable, &executor, 0);
  if (!session) return fail(lapis_last_error());
  const lapis_input_buffer inputs[] = {{image, sizeof image}};
  const lapis_output_buffer outputs[] = {{logits, sizeof logits}};
  if (lapis_run_checked(session, inputs, 1, outputs, 1) != 0) return fail(lapis_last_error());
  lapis_session_destroy(session);
  lapis_executable_destroy(executable);

  int best = 0;
  for (int i = 1; i < kClasses; ++i)
    if (logits[i] > logits[best]) best = i;
  printf("%s\n", kNames[best]);
  return 0;
}
