import type { AudienceListener } from '../broker/audience.ts';
import { SPARKPLUG_PREFIX } from '@selsyn/wire/topics/sparkplug-topics.ts';

/** Hears once that some client of this thread wants to know of Sparkplug: a node that waits for its host, before it is born. */
export class SparkplugAudience implements AudienceListener {
  readonly #onWanted: () => void;
  #isWanted = false;

  constructor(onWanted: () => void) {
    this.#onWanted = onWanted;
  }

  wants(filter: string): boolean {
    return !this.#isWanted && filter.startsWith(SPARKPLUG_PREFIX);
  }

  listening(): void {
    this.#isWanted = true;
    this.#onWanted();
  }

  gone(): void {}
}
