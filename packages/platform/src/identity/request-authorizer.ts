import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { certificateIdOf } from '../pki/certificate-reading.ts';
import { faultOfCertificate, type KnownCertificate, KnownCertificates } from './certificate-credential.ts';
import type { CertificateDesk } from './device-authorizer.ts';
import { DeviceFacts } from './device-facts.ts';
import { DevicePrincipal } from './device-principal.ts';
import { AccessReader } from './policies/access-reader.ts';

export interface RequestRefused {
  /** `unknown`: the certificate is not known here, or holds no more. `denied`: the device may not come at all. */
  readonly refused: 'unknown' | 'denied';
  /** For the operator. */
  readonly reason: string;
}

/**
 * Who sends a request of its own, where there is no connection of MQTT: a device, with the policies that it has there.
 *
 * A request needs no `connect`, as it takes no client id; but a policy that denies the device to connect under its own id keeps its
 * requests out too, and `${client.id}` stands for the id of the device. Everything is looked up anew for each request.
 */
export class RequestAuthorizer {
  readonly #clock: Clock;
  readonly #desk: CertificateDesk;
  readonly #access: AccessReader;
  readonly #certificates: KnownCertificates;
  readonly #facts: DeviceFacts;

  constructor(dependencies: { readonly database: Database; readonly clock: Clock; readonly desk: CertificateDesk }) {
    const { database, clock, desk } = dependencies;
    this.#clock = clock;
    this.#desk = desk;
    this.#access = new AccessReader(database);
    this.#certificates = new KnownCertificates(database);
    this.#facts = new DeviceFacts(database);
  }

  /** The device of a certificate, by which the client proved in the handshake that it has the key. */
  async byCertificate(der: Uint8Array): Promise<DevicePrincipal | RequestRefused> {
    const id = certificateIdOf(der);
    const certificate = await this.#find(id, der);
    if (certificate === undefined) return unknown(`certificate ${id.slice(0, 16)}… is not registered here`);
    const fault = faultOfCertificate(certificate, this.#clock.now());
    if (fault !== undefined) return unknown(fault);
    if (certificate.purpose === 'claim' || certificate.deviceId === undefined)
      return unknown(`certificate ${id.slice(0, 16)}… is not that of a device`);
    const principal = await this.#admit(certificate.deviceId, certificate.id);
    if (certificate.isFresh && !('refused' in principal)) this.#desk.firstUsed(id);
    return principal;
  }

  /** A device that has proved in another way who it is. */
  async byDevice(id: string): Promise<DevicePrincipal | RequestRefused> {
    return await this.#admit(id, undefined);
  }

  async #find(id: string, der: Uint8Array): Promise<KnownCertificate | undefined> {
    const known = await this.#certificates.find(id);
    if (known !== undefined || !(await this.#desk.registerJustInTime(der))) return known;
    return await this.#certificates.find(id);
  }

  async #admit(id: string, credentialId: string | undefined): Promise<DevicePrincipal | RequestRefused> {
    const facts = await this.#facts.of(id, id);
    if (facts === undefined) return unknown(`there is no device ${id}`);
    const policies = await this.#access.policiesOf(facts, credentialId);
    const values = policies.valuesFor(facts);
    const decider = policies.decideClient(id, values);
    if (decider?.effect === 'deny') return { refused: 'denied', reason: `policy ${decider.policy} denies ${id} to connect` };
    return new DevicePrincipal({ id, clientId: id, credentialId, policies, values });
  }
}

function unknown(reason: string): RequestRefused {
  return { refused: 'unknown', reason };
}
