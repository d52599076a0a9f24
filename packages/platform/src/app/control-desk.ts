import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { CloseReason } from '../broker/close-reasons.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { systemCode } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { serveCalls } from '../kernel/thread-channel.ts';
import type { ProvisioningAnswer } from '../provisioning/provisioning-topics.ts';

/** A request of an MQTT client, as it goes from its gateway thread to main. */
export interface ForwardedRequest {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly clientId: string;
  readonly certificateId: string | undefined;
  /** Undefined for a claim. */
  readonly deviceId: string | undefined;
  /** Of the token that the device proved to have. */
  readonly tokenHash: string | undefined;
  readonly remoteAddress: string;
}

/** Why a connection ended; or its gateway said that the device is offline, or has gone itself. */
export type GoneReason = CloseReason | 'said-offline' | 'speaker-gone';

/** How many more connections, own ones and those that a gateway speaks of, a device has in one thread than it had; 0: it came and went meanwhile, or the other way round. */
export interface PresenceChange {
  readonly device: DeviceId;
  readonly change: number;
  /** Of the last of them. */
  readonly atMs: number;
  /** Why the last connection that ended did. */
  readonly reason?: GoneReason;
}

/** What one thread reports at once. */
export interface PresenceReport {
  /** Counts the reports of the thread: the same one may come twice. */
  readonly number: number;
  readonly changes: readonly PresenceChange[];
}

/** What gateway threads ask of main. */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type ControlCalls = {
  answerRequest(request: ForwardedRequest): Promise<ProvisioningAnswer>;
  registerJustInTime(der: Uint8Array): Promise<boolean>;
  certificateUsed(certificateId: string): Promise<void>;
  presence(report: PresenceReport): Promise<void>;
  /** Somebody listens to what hosts of Sparkplug say. */
  sparkplugWanted(argument: null): Promise<void>;
};

/** Who answers, in main. */
export interface ControlServices {
  answerRequest: ControlCalls['answerRequest'];
  registerJustInTime: ControlCalls['registerJustInTime'];
  certificateUsed: ControlCalls['certificateUsed'];
  presence(thread: number, report: PresenceReport): Promise<void>;
  sparkplugWanted(): Promise<void>;
}

/** Main's end: one desk, at which each gateway thread has a port. */
export class ControlDesk implements Disposable {
  readonly #services: ControlServices;
  readonly #logLines: LogLines;
  readonly #ports: MessagePort[] = [];

  constructor(services: ControlServices, logLines: LogLines) {
    this.#services = services;
    this.#logLines = logLines;
  }

  /** A port for one thread. */
  port(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const services = this.#services;
    const thread = this.#ports.length;
    serveCalls<ControlCalls>(port1, {
      answerRequest: async (request) => await services.answerRequest(request),
      registerJustInTime: async (der) =>
        await this.#noted('a device could not be registered just in time', services.registerJustInTime(der)),
      certificateUsed: async (id) =>
        await this.#noted('the first use of a certificate could not be noted', services.certificateUsed(id)),
      presence: async (report) => await this.#noted('who is connected could not be noted', services.presence(thread, report)),
      sparkplugWanted: async () => await services.sparkplugWanted(),
    });
    port1.unref();
    this.#ports.push(port1);
    return port2;
  }

  [Symbol.dispose](): void {
    for (const port of this.#ports) port.close();
  }

  /** The other thread only goes on without it: here is where somebody reads why. */
  async #noted<T>(sentence: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#logLines.error({ err: error, code: systemCode(error) }, sentence);
      throw error;
    }
  }
}
