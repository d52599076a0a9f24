import type { AuthPacket, ConnectPacket } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { AuthExchange, Authorizer, AuthStep, ConnectRequest, Principal, Refusal } from './authorizer.ts';
import { codeOfRefusal } from './connect-codes.ts';

/** What an attempt to be let in has come to so far. */
export type Verdict =
  | { readonly kind: 'granted'; readonly principal: Principal; readonly data: Uint8Array | undefined }
  /** AUTH with this data is to be sent, and AUTH is awaited. */
  | { readonly kind: 'challenge'; readonly data: Uint8Array }
  | { readonly kind: 'refused'; readonly code: number; readonly reason: string };

/** Asks the authorizer about one client: by its CONNECT alone, or by an enhanced authentication (5.0, section 4.12). */
export class Admission {
  /** Undefined for a CONNECT without enhanced authentication. */
  readonly method: string | undefined;
  readonly #authorizer: Authorizer;
  readonly #request: ConnectRequest;
  #exchange: AuthExchange | undefined;

  constructor(authorizer: Authorizer, request: ConnectRequest, packet: ConnectPacket) {
    this.#authorizer = authorizer;
    this.#request = request;
    this.method = packet.properties.authenticationMethod;
  }

  /** @param data of the CONNECT, or of the AUTH that begins a re-authentication. */
  async begin(data: Uint8Array | undefined): Promise<Verdict> {
    if (this.method === undefined) return verdictOf(await this.#authorizer.authenticate(this.#request));
    this.#exchange = this.#authorizer.beginExchange?.(this.method, this.#request);
    if (this.#exchange === undefined) return UNKNOWN_METHOD; // [MQTT-4.12.0-1]
    return verdictOf(await this.#exchange.step(data));
  }

  /** The client's next AUTH [MQTT-4.12.0-3, MQTT-4.12.0-5]. */
  async next(packet: AuthPacket): Promise<Verdict> {
    if (this.#exchange === undefined || packet.authenticationMethod !== this.method) return WRONG_METHOD;
    return verdictOf(await this.#exchange.step(packet.authenticationData));
  }
}

function verdictOf(step: AuthStep | Principal | Refusal): Verdict {
  if ('refused' in step) return { kind: 'refused', code: codeOfRefusal(step), reason: step.reason };
  if ('challenge' in step) return { kind: 'challenge', data: step.challenge };
  if ('granted' in step) return { kind: 'granted', principal: step.granted, data: step.data };
  return { kind: 'granted', principal: step, data: undefined };
}

const UNKNOWN_METHOD: Verdict = {
  kind: 'refused',
  code: ReasonCode.badAuthenticationMethod,
  reason: 'the authentication method is not known here',
};
const WRONG_METHOD: Verdict = {
  kind: 'refused',
  code: ReasonCode.protocolError,
  reason: 'AUTH with another method than CONNECT',
};
