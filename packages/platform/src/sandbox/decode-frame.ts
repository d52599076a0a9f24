/**
 * What stands around the script of a decoder, there before it: keeps the functions that it needs for itself, and takes away chance. Time
 * is that of the message: the same message has the same samples, also when it is read again.
 */
export const DECODE_FRAME = `(() => {
  'use strict';
  const { parse, stringify } = JSON;
  const { apply, construct } = Reflect;
  const { slice } = String.prototype;
  const PromiseType = Promise;
  const Bytes = Uint8Array;
  const text = String;
  const cut = (value) => apply(slice, text(value), [0, 500]);
  delete Math.random;
  const RealDate = Date;
  let nowMs = 0;
  const GivenDate = function Date(...parts) {
    const made = construct(RealDate, parts.length === 0 ? [nowMs] : parts, new.target ?? GivenDate);
    return new.target === undefined ? text(made) : made;
  };
  GivenDate.prototype = RealDate.prototype;
  RealDate.prototype.constructor = GivenDate;
  GivenDate.UTC = RealDate.UTC;
  GivenDate.parse = RealDate.parse;
  GivenDate.now = () => nowMs;
  globalThis.Date = GivenDate;
  return {
    call(run, buffer, device, topic, type, arrivalMs, most) {
      nowMs = arrivalMs;
      const value = run(new Bytes(buffer), { device, topic, type: type === '' ? undefined : type, arrivalMs });
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
