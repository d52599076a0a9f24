import { newQuickJSWASMModule, type QuickJSWASMModule } from 'quickjs-emscripten';
import { workerData } from 'node:worker_threads';
import { isSelsynError } from '../kernel/errors.ts';
import { DecodeScript } from './decode-script.ts';
import { overLimit } from './script-errors.ts';
import {
  DONE,
  FAILED,
  KIND,
  LENGTHS,
  LOAD,
  NOT_LOADED,
  REPLY,
  REQUEST,
  SCRIPT,
  type ScriptMailbox,
  SLOW,
  STATUS,
  type StepLimits,
  STEPS,
} from './script-mailbox.ts';

/** Each has its own share of memory; the one that was not called for longest goes. */
const MAX_LOADED = 32;
const BYTES_OF_A_UNIT = 3;

/** A thread that does nothing but run scripts, so that whoever waits for one that does not come back can end it. */
const { mailbox, limits } = workerData as { readonly mailbox: ScriptMailbox; readonly limits: StepLimits };
const { words, time, bytes } = mailbox;
const loaded = new Map<number, DecodeScript>();
let loading: DecodeScript | undefined;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

let module = await newQuickJSWASMModule();
for (let seen = 0; ; seen++) {
  Atomics.store(words, REPLY, seen);
  Atomics.notify(words, REPLY);
  while (Atomics.load(words, REQUEST) === seen) Atomics.wait(words, REQUEST, seen);
  if (Atomics.load(words, REQUEST) === -1) break;
  const isWhole = answer(module);
  // It was stopped in the middle of something, or had no memory for it: it cannot be used on, nor cleaned up.
  if (!isWhole) {
    loaded.clear();
    loading = undefined;
    module = await newQuickJSWASMModule();
  }
}

/** @returns false when the interpreter cannot be used on */
function answer(interpreter: QuickJSWASMModule): boolean {
  const number = words[SCRIPT]!;
  try {
    if (words[KIND] === LOAD) {
      load(interpreter, number, part(0));
      reply(DONE, '');
      return true;
    }
    const script = loaded.get(number);
    if (script === undefined) {
      reply(NOT_LOADED, '');
      return true;
    }
    loaded.delete(number);
    loaded.set(number, script);
    const text = script.call({
      payload: bytes.slice(0, words[LENGTHS]),
      device: part(1),
      topic: part(2),
      type: part(3),
      arrivalMs: time[0]!,
    });
    words[STEPS] = script.steps;
    if (script.hasPendingJob) unload(number);
    reply(DONE, text);
    return true;
  } catch (error) {
    const known = isSelsynError(error) ? error : overLimit('the script broke the interpreter', { reason: String(error) });
    words[STEPS] = loaded.get(number)?.steps ?? limits.steps;
    const { code, message, details } = known;
    const isSlow = (loaded.get(number) ?? loading)?.isSlow === true;
    reply(isSlow ? SLOW : FAILED, JSON.stringify({ code, message: message.slice(0, 1000), details }));
    return code !== 'script.over-limit';
  }
}

function load(interpreter: QuickJSWASMModule, number: number, source: string): void {
  unload(number);
  const [oldest] = loaded.keys();
  if (oldest !== undefined && loaded.size >= MAX_LOADED) unload(oldest);
  loading = new DecodeScript(interpreter, limits);
  loading.load(source);
  loaded.set(number, loading);
  loading = undefined;
}

function unload(number: number): void {
  loaded.get(number)?.dispose();
  loaded.delete(number);
}

/** A part of the request as text: the parts stand behind one another. */
function part(index: number): string {
  let start = 0;
  for (let before = 0; before < index; before++) start += words[LENGTHS + before]!;
  return decoder.decode(bytes.slice(start, start + words[LENGTHS + index]!));
}

function reply(status: number, text: string): void {
  if (text.length * BYTES_OF_A_UNIT > limits.outputBytes && Buffer.byteLength(text) > limits.outputBytes) {
    words[STATUS] = FAILED;
    const error = JSON.stringify({
      code: 'script.over-limit',
      message: `decode returned more than ${limits.outputBytes} bytes`,
      details: {},
    });
    words[LENGTHS] = put(error);
    return;
  }
  words[STATUS] = status;
  words[LENGTHS] = put(text);
}

function put(text: string): number {
  // Into a buffer of its own: TextEncoder does not write to shared memory.
  const encoded = encoder.encode(text);
  bytes.set(encoded);
  return encoded.length;
}
