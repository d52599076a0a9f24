import {
  DefaultIntrinsics,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSWASMModule,
} from 'quickjs-emscripten';
import { SelsynError } from '../kernel/errors.ts';
import type { SandboxLimits } from './sandbox-limits.ts';
import { errorOfScript, overLimit, type ThrownByScript } from './script-errors.ts';
import { FRAME, NO_ANSWER, SCRIPT_FILE } from './script-frame.ts';
import type { UserScript } from './user-script.ts';

/** What a script may know: the language. No Date: the same input has the same answer. */
const INTRINSICS = { ...DefaultIntrinsics, Date: false } as const;
const NOT_ANSWERS: Readonly<Record<string, string>> = {
  promise: 'the function must return its value, not a promise: nothing runs later',
  undefined: 'the function returned nothing',
  value: 'the function returned what JSON cannot hold',
};

/**
 * A script in a runtime of its own, loaded once and called often. What it keeps in variables lasts from call to call, as long as the
 * runtime does.
 */
export class LoadedScript {
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #limits: SandboxLimits;
  readonly #monotonicMs: () => number;
  #frame: { readonly call: QuickJSHandle; readonly describe: QuickJSHandle } | undefined;
  #run: QuickJSHandle | undefined;
  #deadlineMs = Infinity;

  constructor(module: QuickJSWASMModule, limits: SandboxLimits, monotonicMs: () => number) {
    this.#limits = limits;
    this.#monotonicMs = monotonicMs;
    this.#runtime = module.newRuntime();
    this.#runtime.setMemoryLimit(limits.memoryBytes);
    this.#runtime.setMaxStackSize(limits.stackBytes);
    this.#runtime.setInterruptHandler(() => this.#monotonicMs() > this.#deadlineMs);
    this.#context = this.#runtime.newContext({ intrinsics: INTRINSICS });
  }

  get hasPendingJob(): boolean {
    return this.#runtime.hasPendingJob();
  }

  /** Called once. @throws SelsynError `script.invalid`, `script.over-limit` */
  load({ source, functionName }: UserScript): void {
    const context = this.#context;
    using frame = context.unwrapResult(context.evalCode(FRAME, 'frame'));
    this.#frame = { call: context.getProp(frame, 'call'), describe: context.getProp(frame, 'describe') };
    this.#deadlineMs = this.#monotonicMs() + this.#limits.timeMs;
    this.#succeeded(context.evalCode(source, SCRIPT_FILE, { type: 'global' }), 'script.invalid').dispose();
    const found = this.#succeeded(
      context.evalCode(`typeof ${functionName} === 'function' ? ${functionName} : undefined`, 'frame'),
      'script.invalid',
    );
    this.#run = found;
    if (context.typeof(found) !== 'function') {
      throw new SelsynError('script.invalid', `the script has no function ${functionName}`, {
        details: { function: functionName },
      });
    }
  }

  /** @param input JSON. @returns JSON. @throws SelsynError `script.failed`, `script.over-limit` */
  call(input: string): string {
    const context = this.#context;
    if (this.#frame === undefined || this.#run === undefined) throw new SelsynError('internal', 'the script is not loaded');
    this.#deadlineMs = this.#monotonicMs() + this.#limits.timeMs;
    using given = context.newString(input);
    using most = context.newNumber(this.#limits.outputBytes);
    using answer = this.#succeeded(
      context.callFunction(this.#frame.call, context.undefined, this.#run, given, most),
      'script.failed',
    );
    const text = context.getString(answer);
    if (!text.startsWith(NO_ANSWER)) return text;
    if (text === '!size') throw overLimit(`the function returned more than ${this.#limits.outputBytes} bytes`);
    throw new SelsynError('script.failed', NOT_ANSWERS[text.slice(1)] ?? text);
  }

  dispose(): void {
    this.#run?.dispose();
    this.#frame?.call.dispose();
    this.#frame?.describe.dispose();
    this.#context.dispose();
    this.#runtime.dispose();
  }

  #succeeded(result: ReturnType<QuickJSContext['evalCode']>, code: 'script.invalid' | 'script.failed'): QuickJSHandle {
    if (result.error === undefined) return result.value;
    using thrown = result.error;
    throw errorOfScript(this.#describe(thrown), code);
  }

  /** What was thrown may itself be hostile: it is looked at inside, with a little time of its own. @throws SelsynError `script.over-limit` */
  #describe(thrown: QuickJSHandle): ThrownByScript {
    const context = this.#context;
    this.#deadlineMs = Math.max(this.#deadlineMs, this.#monotonicMs() + 1);
    const result = context.callFunction(this.#frame!.describe, context.undefined, thrown);
    if (result.error !== undefined) {
      result.error.dispose();
      throw overLimit('the script threw something that cannot be shown');
    }
    using text = result.value;
    return JSON.parse(context.getString(text)) as ThrownByScript;
  }
}
