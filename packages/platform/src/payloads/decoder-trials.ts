import { TelemetryPayloadDecoder } from '@selsyn/wire/payload/telemetry-payload.ts';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceTypeStore } from '../registry/device-type-store.ts';
import type { MetricSchema } from '../registry/device-type.ts';
import type { ScriptRunner } from '../sandbox/script-runner.ts';
import { BUILT_IN_DECODERS, type DecoderDefinition } from './decoder-definition.ts';
import type { DecoderStore } from './decoder-store.ts';
import { type Trial, tryDecoder } from './decoder-trial.ts';
import { decoderOfCodec, makeDecoder } from './make-decoder.ts';
import type { PayloadDecoder } from './payload-decoder.ts';

type Declared = Pick<DecoderDefinition, 'format' | 'compression'>;

/** Shows what messages become before devices send them. */
export class DecoderTrials {
  readonly #decoders: Pick<DecoderStore, 'get' | 'list'>;
  readonly #types: Pick<DeviceTypeStore, 'get'>;
  readonly #clock: Clock;
  readonly #scripts: ScriptRunner | undefined;

  constructor(dependencies: {
    readonly decoders: Pick<DecoderStore, 'get' | 'list'>;
    readonly types: Pick<DeviceTypeStore, 'get'>;
    readonly clock: Clock;
    /** Absent: scripts are refused. */
    readonly scripts?: ScriptRunner | undefined;
  }) {
    this.#scripts = dependencies.scripts;
    this.#decoders = dependencies.decoders;
    this.#types = dependencies.types;
    this.#clock = dependencies.clock;
  }

  /** @throws SelsynError `decoder.not-found`, `device-type.not-found` */
  async ofDecoder(name: string, payload: Uint8Array, type?: string): Promise<Trial> {
    const builtIn = BUILT_IN_DECODERS.get(name);
    const declared: Declared =
      builtIn === undefined ? await this.#decoders.get(name) : { format: builtIn.format, compression: 'auto' };
    return await this.ofDraft(declared, payload, type);
  }

  /** @throws SelsynError `request.invalid` where the definition is wrong, `device-type.not-found` */
  async ofDraft(declared: Declared, payload: Uint8Array, type?: string): Promise<Trial> {
    const metrics = type === undefined ? [] : (await this.#types.get(type)).telemetry;
    return this.#try(
      makeDecoder(declared, { metrics, scripts: this.#scripts, ...(type !== undefined && { type }) }),
      payload,
      metrics,
    );
  }

  /** As devices of this type are read. @throws SelsynError `device-type.not-found` */
  async ofType(name: string, payload: Uint8Array): Promise<Trial> {
    const { codec, telemetry: metrics } = await this.#types.get(name);
    if (codec === undefined) return this.#try(PLAIN_JSON, payload, metrics);
    const declared = new Map((await this.#decoders.list()).map((decoder) => [decoder.name, decoder]));
    return this.#try(decoderOfCodec(codec, declared, { metrics, type: name, scripts: this.#scripts }), payload, metrics);
  }

  #try(decoder: PayloadDecoder, payload: Uint8Array, metrics: readonly MetricSchema[]): Trial {
    return tryDecoder(decoder, payload, { arrivalMs: this.#clock.now(), metrics });
  }
}

const PLAIN_JSON: PayloadDecoder = {
  decode({ data, start, end, arrivalMs }, visitor) {
    new TelemetryPayloadDecoder().decode(data, start, end, arrivalMs, visitor);
  },
};
