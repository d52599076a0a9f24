import type { ClientLink } from '../state/client-link.ts';
import type { Listening } from '../state/device-request.ts';
import { parseCommandFilter, type Flavour } from './command-topics.ts';

/** A client that hears the commands of a device. */
export interface CommandListener {
  readonly link: ClientLink;
  readonly flavour: Flavour;
  /** It is the device itself, by its name or its client id. */
  readonly isDevice: boolean;
  /** Grows with each time that a client listens. */
  readonly since: number;
}

/** A client that subscribed in several forms speaks the first of these: who knows those of another platform was written for it. */
const PREFERENCE: readonly Flavour[] = ['aws-json', 'aws-cbor', 'thingsboard', 'selsyn'];

/**
 * Which connected clients hear the commands of which device. In memory: whoever is connected says so again after a restart.
 *
 * Invariant: `#devices` and `#clients` hold the same pairs.
 */
export class CommandListeners {
  /** device → client → listener */
  readonly #devices = new Map<string, Map<string, CommandListener>>();
  readonly #clients = new Map<string, Set<string>>();
  #since = 0;

  /** Devices that somebody listens for. */
  get size(): number {
    return this.#devices.size;
  }

  /** @returns the devices whose commands the client has asked for now. */
  add({ filters, clientId, principalId, from }: Listening): ReadonlySet<string> {
    const asked = new Map<string, Flavour>();
    for (const filter of filters) {
      const found = parseCommandFilter(filter);
      if (found === undefined) continue;
      const device = found.device ?? principalId;
      const known = asked.get(device);
      if (known === undefined || PREFERENCE.indexOf(found.flavour) < PREFERENCE.indexOf(known)) asked.set(device, found.flavour);
    }
    for (const [device, flavour] of asked) {
      const isDevice = device === principalId || device === clientId;
      this.#put(device, keyOf(from), {
        link: from,
        flavour: this.#better(device, from, flavour),
        isDevice,
        since: ++this.#since,
      });
    }
    return new Set(asked.keys());
  }

  remove(link: ClientLink): void {
    const client = keyOf(link);
    for (const device of this.#clients.get(client) ?? []) {
      const listeners = this.#devices.get(device);
      listeners?.delete(client);
      if (listeners?.size === 0) this.#devices.delete(device);
    }
    this.#clients.delete(client);
  }

  /** Who gets the commands of a device: the device itself before others, the one that came last before those of before. */
  of(device: string): CommandListener | undefined {
    let best: CommandListener | undefined;
    for (const listener of this.#devices.get(device)?.values() ?? []) {
      if (best === undefined || rank(listener) > rank(best)) best = listener;
    }
    return best;
  }

  /** SUBSCRIBEs one after the other add up. */
  #better(device: string, link: ClientLink, flavour: Flavour): Flavour {
    const known = this.#devices.get(device)?.get(keyOf(link))?.flavour;
    return known !== undefined && PREFERENCE.indexOf(known) < PREFERENCE.indexOf(flavour) ? known : flavour;
  }

  #put(device: string, client: string, listener: CommandListener): void {
    const listeners = this.#devices.get(device);
    if (listeners === undefined) this.#devices.set(device, new Map([[client, listener]]));
    else listeners.set(client, listener);
    const devices = this.#clients.get(client);
    if (devices === undefined) this.#clients.set(client, new Set([device]));
    else devices.add(device);
  }
}

function rank({ isDevice, since }: CommandListener): number {
  return since + (isDevice ? 2 ** 50 : 0);
}

function keyOf({ gateway, client }: ClientLink): string {
  return `${gateway} ${client}`;
}
