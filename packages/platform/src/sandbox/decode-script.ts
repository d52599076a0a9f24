import {
  DefaultIntrinsics,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSWASMModule,
} from 'quickjs-emscripten';
import { SelsynError } from '../kernel/errors.ts';
import { DECODE_FRAME } from './decode-frame.ts';
import { errorOfScript, overLimit, type ThrownByScript } from './script-errors.ts';
import { NO_ANSWER, SCRIPT_FILE } from './script-frame.ts';
import type { StepLimits } from './script-mailbox.ts';

export const DECODE_FUNCTION = 'decode';

const NOT_ANSWERS: Readonly<Record<string, string>> = {
  promise: 'decode must return its samples, not a promise: nothing runs later',
  undefined: 'decode returned nothing',
  value: 'decode returned what JSON cannot hold',
};

export interface MessageForScript {
  readonly payload: Uint8Array;
  readonly device: string;
  readonly topic: string;
  /** '' for none. */
  readonly type: string;
  readonly arrivalMs: number;
}

/** A script that decodes messages, in a runtime of its own. It is stopped by what it does, not by the clock: see StepLimits. */
export class DecodeScript {
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #limits: StepLimits;
  #frame: { readonly call: QuickJSHandle; readonly describe: QuickJSHandle } | undefined;
  #run: QuickJSHandle | undefined;
  #most = 0;
  /** On the clock of cpuMs. */
  #untilMs = 0;
  /** That the last call took. */
  steps = 0;
  /** The last call was stopped by the time that it took. */
  isSlow = false;

  constructor(module: QuickJSWASMModule, limits: StepLimits) {
    this.#limits = limits;
    this.#runtime = module.newRuntime();
    this.#runtime.setMemoryLimit(limits.memoryBytes);
    this.#runtime.setMaxStackSize(limits.stackBytes);
    this.#runtime.setInterruptHandler(() => {
      if (++this.steps > this.#most) return true;
      this.isSlow = cpuMs() > this.#untilMs;
      return this.isSlow;
    });
    this.#context = this.#runtime.newContext({ intrinsics: DefaultIntrinsics });
  }

  get hasPendingJob(): boolean {
    return this.#runtime.hasPendingJob();
  }

  /** Called once. @throws SelsynError `script.invalid`, `script.over-limit` */
  load(source: string): void {
    const context = this.#context;
    this.#begin();
    using frame = context.unwrapResult(context.evalCode(DECODE_FRAME, 'frame'));
    this.#frame = { call: context.getProp(frame, 'call'), describe: context.getProp(frame, 'describe') };
    this.#succeeded(context.evalCode(source, SCRIPT_FILE, { type: 'global' }), 'script.invalid').dispose();
    const found = `typeof ${DECODE_FUNCTION} === 'function' ? ${DECODE_FUNCTION} : undefined`;
    this.#run = this.#succeeded(context.evalCode(found, 'frame'), 'script.invalid');
    if (context.typeof(this.#run) !== 'function') {
      throw new SelsynError('script.invalid', `the script has no function ${DECODE_FUNCTION}(bytes, context)`, {
        details: { function: DECODE_FUNCTION },
      });
    }
  }

  /** @returns JSON. @throws SelsynError `script.failed`, `script.over-limit` */
  call({ payload, device, topic, type, arrivalMs }: MessageForScript): string {
    const context = this.#context;
    if (this.#frame === undefined || this.#run === undefined) throw new SelsynError('internal', 'the script is not loaded');
    this.#begin();
    using bytes = context.newArrayBuffer(payload.slice().buffer);
    using deviceText = context.newString(device);
    using topicText = context.newString(topic);
    using typeText = context.newString(type);
    using arrival = context.newNumber(arrivalMs);
    using most = context.newNumber(this.#limits.outputBytes);
    const given = [this.#run, bytes, deviceText, topicText, typeText, arrival, most];
    using answer = this.#succeeded(context.callFunction(this.#frame.call, context.undefined, ...given), 'script.failed');
    const text = context.getString(answer);
    if (!text.startsWith(NO_ANSWER)) return text;
    if (text === '!size') throw overLimit(`decode returned more than ${this.#limits.outputBytes} bytes`);
    throw new SelsynError('script.failed', NOT_ANSWERS[text.slice(1)] ?? text);
  }

  dispose(): void {
    this.#run?.dispose();
    this.#frame?.call.dispose();
    this.#frame?.describe.dispose();
    this.#context.dispose();
    this.#runtime.dispose();
  }

  #begin(): void {
    this.steps = 0;
    this.isSlow = false;
    this.#untilMs = cpuMs() + this.#limits.timeMs;
    this.#most = this.#limits.steps;
  }

  #succeeded(result: ReturnType<QuickJSContext['evalCode']>, code: 'script.invalid' | 'script.failed'): QuickJSHandle {
    if (result.error === undefined) return result.value;
    using thrown = result.error;
    throw errorOfScript(this.#describe(thrown), code);
  }

  /** What was thrown may itself be hostile: it is looked at inside, with a few steps more. @throws SelsynError `script.over-limit` */
  #describe(thrown: QuickJSHandle): ThrownByScript {
    const context = this.#context;
    this.#most = this.steps + 4;
    this.#untilMs = cpuMs() + this.#limits.timeMs;
    const { isSlow } = this;
    const result = context.callFunction(this.#frame!.describe, context.undefined, thrown);
    this.isSlow ||= isSlow;
    if (result.error !== undefined) {
      result.error.dispose();
      throw overLimit('the script threw something that cannot be shown');
    }
    using text = result.value;
    return JSON.parse(context.getString(text)) as ThrownByScript;
  }
}

/** What this thread has had of a processor: that a busy machine lets it wait is no fault of a script. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
