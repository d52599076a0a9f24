import { parseSharedFilter } from '@selsyn/wire/topics/topic-filter.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { AccessGranted } from './access-decision.ts';

/**
 * A device that showed its token: it has its own topics and no others.
 *
 *   publish    telemetry/{id}   devices/{id}/...
 *   subscribe  telemetry/{id}   devices/{id}/...   wildcards only within its own; `$share/{group}/` before each
 *   receive    telemetry/{id}   devices/{id}/...
 *
 * No id holds `+`, `#`, `/` or `$`, so what follows the prefix cannot reach another device. A shared group is named by its group
 * and its filter together [MQTT-4.8.2-4], and the filter holds the id: no two devices are ever members of one group, and only
 * the clients of one device share its messages.
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
    return this.#isOwn(topic);
  }

  maySubscribe(filter: string): boolean {
    return this.#isOwn(parseSharedFilter(filter)?.filter ?? filter);
  }

  mayReceive(topic: string): boolean {
    return this.#isOwn(topic);
  }

  #isOwn(topicOrFilter: string): boolean {
    return (
      topicOrFilter === this.#telemetryTopic ||
      (topicOrFilter.length > this.#ownTopics.length && topicOrFilter.startsWith(this.#ownTopics))
    );
  }
}
