import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { SPARKPLUG_PREFIX } from '@selsyn/wire/topics/sparkplug-topics.ts';
import { THINGSBOARD_TELEMETRY } from '@selsyn/wire/topics/thingsboard-topics.ts';
import { ThingsBoardDecoder } from './document-decoders.ts';
import type { PayloadDecoder } from './payload-decoder.ts';
import type { Sparkplug } from './sparkplug/sparkplug-decoder.ts';
import type { TypeFacts } from './type-facts.ts';

const NO_SPARKPLUG: PayloadDecoder = {
  decode: () => {
    throw new PayloadError('malformed', 'Messages of Sparkplug are not read here.');
  },
};

/** How topics other than `telemetry/{device}` are read, whatever the type of the device. */
export class TopicDecoders {
  readonly #thingsBoard = new ThingsBoardDecoder([]);
  readonly #sparkplug: Sparkplug | undefined;

  constructor(sparkplug?: Sparkplug) {
    this.#sparkplug = sparkplug;
  }

  /** Undefined: as the platform's own JSON, which is what the doors write. */
  of(topic: string, facts: TypeFacts): PayloadDecoder | undefined {
    if (topic.startsWith(SPARKPLUG_PREFIX)) return this.#sparkplug?.decoderFor(facts) ?? NO_SPARKPLUG;
    return THINGSBOARD_TELEMETRY.has(topic) ? this.#thingsBoard : undefined;
  }
}
