import { connect as connectPlain, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { type IClientOptions, type IDisconnectPacket, MqttClient, type Packet } from 'mqtt';
import type { Clock } from '../../kernel/clock.ts';
import { isForbiddenAddress } from '../../kernel/hook-addresses.ts';
import { DeliveryError, type OutgoingRecord } from '../delivery.ts';
import type { MqttSettings, TargetSecrets } from '../target-settings.ts';

const CONNECT_MS = 10_000;
const KEEPALIVE_SEC = 30;
/**
 * Reasons of a DISCONNECT that may be about what was sent (MQTT 5.0 section 3.14.2.1): unspecified, malformed packet, protocol error,
 * implementation specific, not authorized, topic name invalid, packet too large, payload format invalid. All others are about the broker,
 * or about how much it is sent.
 */
const ABOUT_RECORDS: ReadonlySet<number> = new Set([0x80, 0x81, 0x82, 0x83, 0x87, 0x90, 0x95, 0x99]);

/** A connection to a broker that is up; it is never made again by itself. */
export class MqttConnection {
  readonly client: MqttClient;
  /** Published and not acknowledged. */
  readonly inFlight = new Set<OutgoingRecord>();
  #isProven = false;
  #isEnded = false;
  #isCloser = false;
  #reason: number | undefined;

  /** @param onClosed the other side has closed it, and not for a reason that is its own: whether that leads closer to a record */
  private constructor(client: MqttClient, onClosed: (inFlight: readonly OutgoingRecord[], isProven: boolean) => boolean) {
    this.client = client;
    // What is wrong with the connection is told by its close.
    client.on('error', () => undefined);
    client.on('disconnect', ({ reasonCode }: IDisconnectPacket) => {
      this.#reason = reasonCode;
    });
    client.once('close', () => {
      if (this.#isEnded || (this.#reason !== undefined && !ABOUT_RECORDS.has(this.#reason))) return;
      this.#isCloser = onClosed([...this.inFlight], this.#isProven);
    });
  }

  static async open(options: {
    readonly settings: MqttSettings;
    readonly secrets: TargetSecrets;
    readonly clientId: string;
    readonly lookup: LookupFunction;
    readonly onClosed: (inFlight: readonly OutgoingRecord[], isProven: boolean) => boolean;
  }): Promise<MqttConnection> {
    const { settings, secrets, clientId } = options;
    const url = new URL(settings.url);
    if (isForbiddenAddress(url.hostname)) throw new DeliveryError('failed', 'no forwarder may send to this address');
    const { username, version } = settings;
    const clientOptions: IClientOptions = {
      clientId,
      protocolVersion: version ?? 5,
      clean: true,
      keepalive: KEEPALIVE_SEC,
      connectTimeout: CONNECT_MS,
      reconnectPeriod: 0,
      ...(username !== undefined && { username }),
      ...(secrets.password !== undefined && { password: secrets.password }),
    };
    const client = new MqttClient(() => openSocket(url, options), clientOptions);
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('connect', () => resolve());
        client.once('error', reject);
        client.once('close', () => reject(new Error('the connection was closed before the broker had accepted it')));
      });
    } catch (error) {
      client.on('error', () => undefined);
      client.end(true);
      throw error;
    }
    return new MqttConnection(client, options.onClosed);
  }

  /** It was closed, and that leads closer to the record on which the other side does so. */
  get isCloser(): boolean {
    return this.#isCloser;
  }

  /** Why the other side has closed it. */
  get closeReason(): string {
    const [record] = this.inFlight;
    if (this.#reason !== undefined && this.#reason !== 0)
      return `the broker closed the connection with the reason 0x${this.#reason.toString(16)}`;
    if (record === undefined || this.inFlight.size > 1) return 'the connection was lost';
    return `the connection was closed on a record of ${record.payload.length} bytes`;
  }

  /** Resolves once the other side has answered a ping: MQTT 3.1.1 section 3.12. */
  async prove(signal: AbortSignal): Promise<void> {
    if (this.#isProven) return;
    const { client } = this;
    const { promise, resolve } = Promise.withResolvers<void>();
    const onPacket = ({ cmd }: Packet): void => {
      if (cmd === 'pingresp') resolve();
    };
    client.on('packetreceive', onPacket);
    try {
      await this.#unlessClosed(promise, signal, () => client.sendPing());
      this.#isProven = true;
    } finally {
      client.removeListener('packetreceive', onPacket);
    }
  }

  /** Resolves after a time in which the other side has not closed it. */
  async stays(forMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(forMs, resolve);
    try {
      await this.#unlessClosed(promise, signal);
    } finally {
      cancel();
    }
  }

  async #unlessClosed(what: Promise<void>, signal: AbortSignal, begin: () => void = () => undefined): Promise<void> {
    const { client } = this;
    const { promise: over, reject } = Promise.withResolvers<never>();
    const onClose = (): void => reject(new Error(this.closeReason));
    const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('broken off'));
    client.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      if (!client.connected) throw new Error('the connection was lost');
      begin();
      await Promise.race([what, over]);
    } finally {
      client.removeListener('close', onClose);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** It is given up. */
  drop(): void {
    this.#isEnded = true;
    this.client.end(true);
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    await this.client.endAsync();
  }
}

function openSocket(
  url: URL,
  {
    settings,
    secrets,
    lookup,
  }: { readonly settings: MqttSettings; readonly secrets: TargetSecrets; readonly lookup: LookupFunction },
): Socket {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isSecure = url.protocol === 'mqtts:';
  const place = { host, port: Number(url.port || (isSecure ? 8883 : 1883)), lookup };
  if (!isSecure) return connectPlain({ ...place, noDelay: true });
  const { ca, certificate } = settings.tls ?? {};
  return connectSecure({
    ...place,
    // An address is no server name (RFC 6066 section 3).
    ...(isIP(host) === 0 && { servername: host }),
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { cert: certificate, key: secrets.clientKey }),
  });
}
