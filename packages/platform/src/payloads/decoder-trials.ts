import type { Clock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { DeviceTypeStore } from '../registry/device-type-store.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import { BUILT_IN_DECODERS, type DecoderDefinition } from './decoder-definition.ts';
import type { DecoderStore } from './decoder-store.ts';
import type { Trial } from './decoder-trial.ts';
import type { TrialDecoder, Trialer } from './trial-job.ts';

type Declared = Pick<DecoderDefinition, 'format' | 'compression'>;
type OfType = { readonly name: string; readonly metrics: readonly MetricSchema[] };

/** Shows what messages become before devices send them. */
export class DecoderTrials {
  readonly #decoders: Pick<DecoderStore, 'get' | 'list'>;
  readonly #types: Pick<DeviceTypeStore, 'get'>;
  readonly #clock: Clock;
  readonly #trialer: Pick<Trialer, 'try'>;

  constructor(dependencies: {
    readonly decoders: Pick<DecoderStore, 'get' | 'list'>;
    readonly types: Pick<DeviceTypeStore, 'get'>;
    readonly clock: Clock;
    readonly trialer: Pick<Trialer, 'try'>;
  }) {
    this.#trialer = dependencies.trialer;
    this.#decoders = dependencies.decoders;
    this.#types = dependencies.types;
    this.#clock = dependencies.clock;
  }

  /** @throws SelsynError `decoder.not-found`, `device-type.not-found`, `decoder.busy` */
  async ofDecoder(name: string, payload: Uint8Array, type?: string): Promise<Trial> {
    const builtIn = BUILT_IN_DECODERS.get(name);
    const declared: Declared =
      builtIn === undefined ? await this.#decoders.get(name) : { format: builtIn.format, compression: 'auto' };
    return await this.ofDraft(declared, payload, type);
  }

  /** @throws SelsynError `request.invalid` where the definition is wrong, `device-type.not-found`, `decoder.busy` */
  async ofDraft({ format, compression }: Declared, payload: Uint8Array, type?: string): Promise<Trial> {
    const of = type === undefined ? undefined : { name: type, metrics: (await this.#types.get(type)).telemetry };
    return await this.#try({ kind: 'declared', declared: { format, compression } }, payload, of);
  }

  /** As devices of this type are read. @throws SelsynError `device-type.not-found`, `decoder.busy` */
  async ofType(name: string, payload: Uint8Array): Promise<Trial> {
    const { codec, telemetry: metrics } = await this.#types.get(name);
    if (codec === undefined) return await this.#try({ kind: 'plain' }, payload, { name, metrics });
    const declared = (await this.#decoders.list()).find((decoder) => decoder.name === codec);
    return await this.#try({ kind: 'codec', codec, declared }, payload, { name, metrics });
  }

  async #try(decoder: TrialDecoder, payload: Uint8Array, of: OfType | undefined): Promise<Trial> {
    try {
      const job = { decoder, payload, arrivalMs: this.#clock.now(), metrics: of?.metrics ?? [], type: of?.name };
      return await this.#trialer.try(job);
    } catch (error) {
      // As a message of a device it would be a dead letter with this reason.
      if (!isSelsynError(error, 'script.over-limit')) throw error;
      return { points: [], count: 0, unitsKept: [], error: { code: error.code, reason: error.message } };
    }
  }
}
