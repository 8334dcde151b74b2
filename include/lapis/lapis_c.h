/* The C ABI of the Lapis runtime: load an artifact, make a session, run it. No function throws or aborts: a NULL
 * argument, a wrong index, a damaged file, memory or threads that cannot be had are failures with a message. Pointers
 * that were destroyed must not be used again.
 *
 *   lapis_executable* executable = lapis_load("resnet50.lapis");
 *   if (!executable) { fputs(lapis_last_error(), stderr); return 1; }
 *   lapis_session* session = lapis_session_create(executable, 1);
 *   const void* inputs[] = {image};
 *   void* outputs[] = {prob};
 *   int status = lapis_run(session, inputs, outputs);
 *   lapis_session_destroy(session);
 *   lapis_executable_destroy(executable);
 */
#ifndef LAPIS_C_H
#define LAPIS_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LAPIS_C_EXPORT __attribute__((visibility("default")))

typedef struct lapis_executable lapis_executable;
typedef struct lapis_session lapis_session;

/* One input or output. Strings and shape live as long as the executable. */
typedef struct lapis_value_info {
  const char* name;
  int dtype; /* ONNX TensorProto.DataType: 1 float, 2 uint8, 3 int8, 6 int32, 7 int64, ... */
  size_t rank;
  const int64_t* shape;
  size_t bytes;
} lapis_value_info;

/* NULL on failure; lapis_last_error() says why. An artifact is machine code: load only files you would execute. */
LAPIS_C_EXPORT lapis_executable* lapis_load(const char* artifact);
/* Compares the checksums of all constants too, which reads them; with lapis_load the first run does it. */
LAPIS_C_EXPORT lapis_executable* lapis_load_checked(const char* artifact);
LAPIS_C_EXPORT void lapis_executable_destroy(lapis_executable* executable); /* sessions made from it stay valid */
LAPIS_C_EXPORT size_t lapis_input_count(const lapis_executable* executable);
LAPIS_C_EXPORT size_t lapis_output_count(const lapis_executable* executable);
/* For an index that there is not: dtype 0, name "", rank and bytes 0. */
LAPIS_C_EXPORT lapis_value_info lapis_input_info(const lapis_executable* executable, size_t index);
LAPIS_C_EXPORT lapis_value_info lapis_output_info(const lapis_executable* executable, size_t index);

/* threads: 0 means one per available core. One session per calling thread: a second thread gets an error while it runs.
 * A forked child may use a session of its parent: Lapis' own threads are started anew there. */
LAPIS_C_EXPORT lapis_session* lapis_session_create(const lapis_executable* executable, int threads);
LAPIS_C_EXPORT void lapis_session_destroy(lapis_session* session);

/* Threads of the caller's that sessions run on, in C: what lapis::Executor of lapis/executor.h is in C++, with the same
 * contract.
 *
 *   static int threads(void* context) { return 4; }
 *   static void parallel(void* context, int most, lapis_part part, void* work) {
 *     for (int i = 1; i < most; ++i) hand_to_thread(context, i, part, work, i, most);
 *     part(work, 0, most);
 *     wait_for_threads(context);
 *   }
 *   lapis_executor executor = {NULL, threads, parallel, 0};
 *   lapis_session* session = lapis_session_create_on(executable, &executor, 0);
 */
typedef void (*lapis_part)(void* work, int index, int count);
typedef struct lapis_executor {
  void* context; /* given to both functions */
  /* How many threads there are, 1 or more. */
  int (*threads)(void* context);
  /* Calls part(work, i, count) once for every i from 0 to count - 1, with one count from 1 to most: on any threads, in
   * any order. Returns when all calls have returned. Sessions that run at the same time call it at the same time. */
  void (*parallel)(void* context, int most, lapis_part part, void* work);
  /* 1 is a promise: the calls of one parallel() are under way at the same time, so that they may wait for each other.
   */
  int concurrent;
} lapis_executor;

/* A session on the threads of `executor`, which is copied; its functions and context must outlive the session. threads:
 * the most that a run uses; 0: all. */
LAPIS_C_EXPORT lapis_session* lapis_session_create_on(const lapis_executable* executable,
                                                      const lapis_executor* executor, int threads);

/* Threads for sessions to share: the one that calls lapis_run and threads - 1 that sleep between runs; 0: one per
 * available core. A run takes those that are idle and never waits for the others. The threads end with the pool and the
 * last session on it. */
typedef struct lapis_thread_pool lapis_thread_pool;
LAPIS_C_EXPORT lapis_thread_pool* lapis_thread_pool_create(int threads);
LAPIS_C_EXPORT void lapis_thread_pool_destroy(lapis_thread_pool* pool); /* sessions on it stay valid */
LAPIS_C_EXPORT lapis_session* lapis_session_create_on_pool(const lapis_executable* executable, lapis_thread_pool* pool,
                                                           int threads);

/* Buffers in the order of lapis_input_info and lapis_output_info, aligned to their element type, none overlapping an
 * output. 0, or -1 on failure. The sizes of the buffers cannot be seen here: they must be those of
 * lapis_value_info::bytes. */
LAPIS_C_EXPORT int lapis_run(lapis_session* session, const void* const* inputs, void* const* outputs);

/* One buffer and its size in bytes. */
typedef struct lapis_input_buffer {
  const void* data;
  size_t bytes;
} lapis_input_buffer;
typedef struct lapis_output_buffer {
  void* data;
  size_t bytes;
} lapis_output_buffer;

/* lapis_run for callers that are not sure: the numbers of buffers and all sizes are compared with the model's before
 * anything is touched.
 *
 *   lapis_input_buffer inputs[] = {{image, sizeof image}};
 *   lapis_output_buffer outputs[] = {{prob, sizeof prob}};
 *   int status = lapis_run_checked(session, inputs, 1, outputs, 1);
 */
LAPIS_C_EXPORT int lapis_run_checked(lapis_session* session, const lapis_input_buffer* inputs, size_t input_count,
                                     const lapis_output_buffer* outputs, size_t output_count);

/* The message of the last failed call of this thread; "" if there was none. */
LAPIS_C_EXPORT const char* lapis_last_error(void);

#ifdef __cplusplus
}
#endif
#endif
