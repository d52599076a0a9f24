/** The name of a script in the places of errors. */
export const SCRIPT_FILE = 'script';

/** Stand before what is not an answer: no JSON begins so. */
export const NO_ANSWER = '!';

/**
 * All of a sandbox that the outside calls: text in, text out. It is there before the script of a user, and keeps the functions that it
 * needs for itself: a script that puts others in their place deceives only itself. Chance is taken away, as time is (there is no Date):
 * the same input has the same answer.
 */
export const FRAME = `(() => {
  'use strict';
  const { parse, stringify } = JSON;
  const { apply } = Reflect;
  const { slice } = String.prototype;
  const PromiseType = Promise;
  const text = String;
  const cut = (value) => apply(slice, text(value), [0, 500]);
  delete Math.random;
  return {
    call(run, input, most) {
      const value = run(parse(input));
      if (value instanceof PromiseType) return '!promise';
      const answer = stringify(value);
      if (answer === undefined) return value === undefined ? '!undefined' : '!value';
      return answer.length > most ? '!size' : answer;
    },
    describe(error) {
      const isError = typeof error === 'object' && error !== null && 'message' in error;
      return stringify({
        name: isError ? cut(error.name) : '',
        message: isError ? cut(error.message) : cut(typeof error === 'object' ? stringify(error) : error),
        stack: isError ? cut(error.stack) : '',
      });
    },
  };
})()`;
