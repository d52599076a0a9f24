import type { TopicWatcher } from '../broker/topic-watch.ts';
import { type DeviceId, isDeviceId } from '../kernel/device-id.ts';
import { onlineOf } from '../presence/status-payload.ts';

/** That one client speaks of: what it says of more is passed over. */
const MAX_DEVICES_OF_A_CLIENT = 10_000;

/** Connections of a device, more (1) or fewer (-1). */
export type OnPresence = (device: DeviceId, change: 1 | -1, reason?: 'said-offline' | 'speaker-gone') => void;

/**
 * Understands `devices/{id}/status`: a client, as a gateway on site, says of devices that have no connection of their own whether they are
 * there. What it says counts while it is connected itself: nobody stays online because the one who said so has gone without a word.
 * What a device says of itself changes nothing: its connection shows it.
 */
export class StatusTopics implements TopicWatcher {
  readonly filter = 'devices/+/status';
  readonly #onPresence: OnPresence;
  /** By client: the devices that it has said to be there. */
  readonly #said = new Map<string, Set<DeviceId>>();

  constructor(onPresence: OnPresence) {
    this.#onPresence = onPresence;
  }

  published(client: string, principalId: string, topic: string, payload: Uint8Array): void {
    const device = topic.slice('devices/'.length, -'/status'.length);
    if (!isDeviceId(device) || device === principalId) return;
    const online = onlineOf(payload);
    if (online === undefined) return;
    const said = this.#said.get(client);
    if (online) {
      if (said?.has(device) === true || (said?.size ?? 0) >= MAX_DEVICES_OF_A_CLIENT) return;
      if (said === undefined) this.#said.set(client, new Set([device]));
      else said.add(device);
      this.#onPresence(device, 1);
    } else if (said?.delete(device) === true) {
      if (said.size === 0) this.#said.delete(client);
      this.#onPresence(device, -1, 'said-offline');
    }
  }

  /** A client has gone. */
  left(client: string): void {
    const said = this.#said.get(client);
    if (said === undefined) return;
    this.#said.delete(client);
    for (const device of said) this.#onPresence(device, -1, 'speaker-gone');
  }
}
