import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { Admission } from './admission.ts';

/** AUTH with the method of the client's CONNECT [MQTT-4.12.0-5]. */
export function authPacket(reasonCode: number, { method = '' }: Admission, data: Uint8Array | undefined): Uint8Array {
  return encodePacket(
    { type: 'auth', reasonCode, authenticationMethod: method, ...(data !== undefined && { authenticationData: data }) },
    5,
  );
}
