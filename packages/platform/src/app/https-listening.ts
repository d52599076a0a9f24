import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { answerBrokenRequest } from '../api/problem-handlers.ts';
import { HttpsDoor } from '../gateways/http/https-door.ts';
import type { TlsMaterial } from '../gateways/mqtt/tls-material.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Config } from './config-schema.ts';
import { type ListenerAddress, listenFailure, urlOf } from './listening.ts';

/** Where HTTPS is to be; empty: nowhere. */
export function httpsAddress({ https, tls }: Config): { readonly https?: ListenerAddress } {
  if (!https.enabled || !tls.enabled) return {};
  return { https: { host: https.host, port: https.port, portKey: 'https.port', enabledKey: 'https.enabled' } };
}

/** The API on HTTPS, with the certificate of the other TLS doors. */
export class HttpsListening implements AsyncDisposable {
  readonly #address: ListenerAddress | undefined;
  #door: HttpsDoor | undefined;

  /** @param config with the port that was reserved */
  constructor(config: Config, port: number | undefined) {
    const { https } = httpsAddress(config);
    this.#address = https === undefined || port === undefined ? undefined : { ...https, port };
  }

  /** @returns its URL; undefined where there is none @throws SelsynError `listen.failed` */
  async open(options: {
    readonly api: FastifyInstance;
    readonly material: TlsMaterial | undefined;
    readonly clock: Clock;
    readonly registry: Registry;
  }): Promise<string | undefined> {
    const { api, material, clock, registry } = options;
    if (this.#address === undefined || material === undefined) return undefined;
    const { host, port } = this.#address;
    const door = new HttpsDoor({
      host,
      port,
      material,
      clock,
      onRequest: api.routing,
      onBrokenRequest: answerBrokenRequest,
      limitsOf: api.server,
    });
    try {
      await door.open();
    } catch (error) {
      throw listenFailure(this.#address, error);
    }
    this.#door = door;
    door.register(registry);
    return urlOf('https', host, door.port);
  }

  /** New handshakes use it. */
  renew(material: TlsMaterial): void {
    this.#door?.renew(material);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#door?.[Symbol.asyncDispose]();
  }
}
