import type { DeviceId } from '../kernel/device-id.ts';
import type { AccessGranted } from './access-decision.ts';

/**
 * A device that showed its token: it has its own topics and no others.
 *
 *   publish    telemetry/{id}   devices/{id}/...
 *   subscribe  telemetry/{id}   devices/{id}/...   wildcards only within its own
 *
 * No id holds `+`, `#`, `/` or `$`, so what follows the prefix cannot reach another device. A shared subscription
 * (`$share/...`) names another topic tree and is refused.
 */
export class DevicePrincipal implements AccessGranted {
  readonly id: DeviceId;
  readonly #telemetryTopic: string;
  readonly #ownTopics: string;

  constructor(id: DeviceId) {
    this.id = id;
    this.#telemetryTopic = `telemetry/${id}`;
    this.#ownTopics = `devices/${id}/`;
  }

  /** Two devices may use the same client id without taking over each other's session. */
  get sessionNamespace(): string {
    return this.id;
  }

  mayPublish(topic: string): boolean {
    return topic === this.#telemetryTopic || this.#isBelowOwn(topic);
  }

  maySubscribe(filter: string): boolean {
    return filter === this.#telemetryTopic || this.#isBelowOwn(filter);
  }

  #isBelowOwn(topicOrFilter: string): boolean {
    return topicOrFilter.length > this.#ownTopics.length && topicOrFilter.startsWith(this.#ownTopics);
  }
}
