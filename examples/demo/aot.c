/* The whole program around model.o: reads inputs from stdin, writes outputs to stdout, as raw bytes, until there are no more.
 * model.h declares everything about the model; this file knows only that it has one input and one output. */
#include "model.h"

#include <stdio.h>

_Static_assert(MODEL_INPUTS == 1 && MODEL_OUTPUTS == 1, "a model with one input and one output");

static _Alignas(MODEL_ARENA_ALIGNMENT) unsigned char arena[MODEL_ARENA_BYTES];
static _Alignas(64) unsigned char input[MODEL_INPUT_0_BYTES], output[MODEL_OUTPUT_0_BYTES];

int main(void) {
  const model_inputs inputs = {(const void*)input};
  const model_outputs outputs = {(void*)output};
  if (!model_supported()) {
    fprintf(stderr, "this processor cannot run code for %s\n", MODEL_TARGET);
    return 1;
  }
  while (fread(input, sizeof input, 1, stdin) == 1) {
    const int status = model_run(&inputs, &outputs, arena);
    if (status != MODEL_OK) {
      fprintf(stderr, "model_run: status %d\n", status);
      return 1;
    }
    if (fwrite(output, sizeof output, 1, stdout) != 1) return 1;
  }
  return ferror(stdin) || fflush(stdout) != 0;
}
