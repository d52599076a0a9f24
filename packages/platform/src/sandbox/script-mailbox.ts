/*
 * What two threads share that call each other and wait: the asking one writes a request and waits on REPLY, the answering one waits on
 * REQUEST. Each writes only while the other waits.
 *
 *   words   REQUEST   counts requests; -1: end                bytes   of a request   source, or payload | device | topic | type
 *           REPLY     counts replies: that of the request             of a reply     text
 *           KIND      of the request
 *           SCRIPT    number of the script
 *           LENGTHS   of four parts; [0] of the reply
 *           STATUS    of the reply
 *           STEPS     that the script took
 *   time    of the request: when the message came, ms
 */
export const REQUEST = 0;
export const REPLY = 1;
export const KIND = 2;
export const SCRIPT = 3;
export const LENGTHS = 4;
export const STATUS = 8;
export const STEPS = 9;
const WORDS = 10;

export const LOAD = 1;
export const CALL = 2;

export const DONE = 0;
/** The reply is an error as JSON: { code, message, details }. */
export const FAILED = 1;
/** The script must be loaded first. */
export const NOT_LOADED = 2;
/** It took few steps, but so long that it was stopped by the clock. */
export const SLOW = 3;

export const MAILBOX_BYTES = 512 * 1024;

export interface ScriptMailbox {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly time: Float64Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

export function newMailbox(): ScriptMailbox {
  return {
    words: new Int32Array(new SharedArrayBuffer(WORDS * 4)),
    time: new Float64Array(new SharedArrayBuffer(8)),
    bytes: new Uint8Array(new SharedArrayBuffer(MAILBOX_BYTES)),
  };
}

/** What a script of a decoder may use. Steps are counted by the interpreter: the same for the same script and message, on any machine. */
export interface StepLimits {
  /** Of one call, and of what the script does while it is loaded; each some 0.25 ms. */
  readonly steps: number;
  /** Of the same, of a processor's time, for what costs much in few steps: far more than `steps` need. */
  readonly timeMs: number;
  readonly memoryBytes: number;
  readonly stackBytes: number;
  readonly sourceBytes: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

export const STEP_LIMITS: StepLimits = {
  steps: 40,
  timeMs: 100,
  memoryBytes: 8 * 1024 * 1024,
  stackBytes: 128 * 1024,
  sourceBytes: 32 * 1024,
  inputBytes: 256 * 1024,
  outputBytes: 256 * 1024,
};

/** Thrown where a thread has not answered in time. */
export const TIME_IS_OVER = Symbol('time is over');
