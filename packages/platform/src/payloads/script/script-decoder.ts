import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import { TelemetryPayloadDecoder } from '@selsyn/wire/payload/telemetry-payload.ts';
import { isSelsynError, SelsynError } from '../../kernel/errors.ts';
import type { RunnableScript, ScriptRunner } from '../../sandbox/script-runner.ts';
import type { PayloadDecoder, PayloadMessage, PayloadVisitor } from '../payload-decoder.ts';
import { ScriptBudget } from './script-budget.ts';

/** A script that runs over its limits so often in a row is left alone for a while: each time costs all of its time. */
const MAX_STRIKES = 3;
const SUSPENDED_MS = 60_000;

export interface ScriptOptions {
  /** JavaScript with a function `decode(bytes, context)`. */
  readonly source: string;
}

/**
 * Reads messages by a script of the user: what its function returns is read as the platform's own JSON, with the same limits.
 *
 * A script that is slow, or does not come back, has its messages refused; those of other types go on (see ScriptBudget).
 */
export class ScriptDecoder implements PayloadDecoder {
  readonly #runner: ScriptRunner;
  readonly #script: RunnableScript;
  readonly #type: string;
  readonly #json = new TelemetryPayloadDecoder(PAYLOAD_LIMITS);
  readonly #clock: { monotonicMs(): number };
  readonly budget: ScriptBudget;
  #strikes = 0;
  #suspendedUntilMs = 0;

  /** @throws SelsynError `script.invalid` when it is too long; whether it can be loaded shows when it runs */
  constructor(options: {
    readonly runner: ScriptRunner;
    readonly source: string;
    /** The device type; '' where there is none. */
    readonly type: string;
    readonly clock?: { monotonicMs(): number };
    readonly budget?: ScriptBudget;
  }) {
    this.#runner = options.runner;
    this.#script = options.runner.script(options.source);
    this.#type = options.type;
    this.#clock = options.clock ?? { monotonicMs: () => performance.now() };
    this.budget = options.budget ?? new ScriptBudget();
  }

  decode(message: PayloadMessage, visitor: PayloadVisitor): void {
    const { data, start, end, device, topic, arrivalMs } = message;
    const samples = this.#run({ payload: data.subarray(start, end), device, topic, type: this.#type, arrivalMs });
    this.#json.decode(samples, 0, samples.length, arrivalMs, visitor);
  }

  #run(message: Parameters<ScriptRunner['call']>[1]): Uint8Array {
    const { arrivalMs } = message;
    // A clock that was set back must not make a minute of an hour.
    if (arrivalMs < this.#suspendedUntilMs && arrivalMs > this.#suspendedUntilMs - 2 * SUSPENDED_MS) {
      throw tooMuch('the script ran over its limits several times in a row: it is not run for a minute');
    }
    if (!this.budget.mayRun(arrivalMs)) {
      throw tooMuch('the scripts of this device type have used up their share of time: the message was not read');
    }
    const startMs = this.#clock.monotonicMs();
    const endedBefore = this.#runner.ended;
    try {
      const samples = this.#runner.call(this.#script, message);
      this.#strikes = 0;
      return samples;
    } catch (error) {
      if (isSelsynError(error, 'script.over-limit')) {
        const hadToBeEnded = this.#runner.ended > endedBefore;
        if (++this.#strikes >= MAX_STRIKES || hadToBeEnded) {
          this.#strikes = 0;
          this.#suspendedUntilMs = arrivalMs + SUSPENDED_MS;
        }
      } else this.#strikes = 0;
      throw error;
    } finally {
      this.budget.spend(this.#runner.steps, this.#clock.monotonicMs() - startMs);
    }
  }
}

function tooMuch(message: string): SelsynError {
  return new SelsynError('script.over-limit', message);
}
