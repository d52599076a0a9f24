import { sql } from 'kysely';
import { PreparedLookup } from '../database/prepared-lookup.ts';
import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { isDeviceId } from '../kernel/device-id.ts';
import { hashSecret, NO_HASH, type RandomBytes, sameHash } from '../kernel/secret.ts';
import { certificateIdOf } from '../pki/certificate-reading.ts';
import type { AccessExchange, AccessGranted, AccessRefused, AccessRequest } from './access-decision.ts';
import { faultOfCertificate, faultOfClaimBatch, type KnownCertificate, KnownCertificates } from './certificate-credential.ts';
import { ClaimPrincipal } from './claim-principal.ts';
import { DeviceFacts } from './device-facts.ts';
import { DevicePrincipal } from './device-principal.ts';
import { AccessReader } from './policies/access-reader.ts';
import { ScramAccounts } from './scram-accounts.ts';
import { SCRAM_SHA_256, ScramExchange } from './scram-exchange.ts';
import { nameOfUsername } from './username.ts';

/** What is to be done about certificates by whoever may write to the database. */
export interface CertificateDesk {
  /** A certificate that nobody has connected with before was used. */
  firstUsed(certificateId: string): void;
  /**
   * Registers a certificate that is not known here, where its authority is and says by which template.
   * @returns whether it is known now. Must not reject for long: a client waits.
   */
  registerJustInTime(der: Uint8Array): Promise<boolean>;
}

export interface DeviceAuthorizerDependencies {
  /** May be a read-only connection of this thread. */
  readonly database: Database;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Makes up the SCRAM challenges for devices that are not known: the same on all threads, and after a restart. */
  readonly scramKey: Uint8Array;
  /** Without it certificates that are not known are refused. */
  readonly desk?: CertificateDesk | undefined;
}

/** As `newSecret` makes it, or another platform did: long enough that nobody tries them all. */
const TOKEN = /^[A-Za-z0-9_-]{20,128}$/;
/** A token has 43 bytes; a longer password is not hashed to its end. */
const MAX_PASSWORD_BYTES = 1024;
const NOTHING = new Uint8Array();
/** A multiple of 3, so that its base64 text has no padding. */
const SERVER_NONCE_BYTES = 18;

/**
 * Lets in devices that show a certificate that is registered and active, or their token (username = device id, password = token; or the token as
 * username alone), or prove by SCRAM-SHA-256 that they have it; and units with a claim certificate, which may only ask for one of their own.
 *
 * Each CONNECT looks at the database as last committed: what was revoked, rotated or changed counts from the next CONNECT on, also
 * for a resumed TLS session, and there is no cache that could be stale. Every refusal of a token is the same and has done the same work,
 * whether the device is unknown, has no token, or another one: nobody learns from it which ids exist.
 */
export class DeviceAuthorizer {
  readonly #dependencies: DeviceAuthorizerDependencies;
  readonly #scram: ScramAccounts;
  readonly #access: AccessReader;
  readonly #certificates: KnownCertificates;
  readonly #facts: DeviceFacts;
  readonly #tokens: PreparedLookup<{ readonly token_hash: string }>;
  readonly #owners: PreparedLookup<{ readonly device_id: string }>;

  constructor(dependencies: DeviceAuthorizerDependencies) {
    this.#dependencies = dependencies;
    this.#scram = new ScramAccounts(dependencies);
    const { database } = dependencies;
    this.#access = new AccessReader(database);
    this.#certificates = new KnownCertificates(database);
    this.#facts = new DeviceFacts(database);
    // One row of one text in any case: that of a device that is not known comes no sooner.
    this.#tokens = new PreparedLookup(database, (device) =>
      database.selectNoFrom((builder) =>
        builder.fn
          .coalesce(builder.selectFrom('device_token').select('token_hash').where('device_id', '=', device), sql.lit(NO_HASH))
          .as('token_hash'),
      ),
    );
    this.#owners = new PreparedLookup(database, (hash) =>
      database.selectFrom('device_token').select('device_id').where('token_hash', '=', hash),
    );
  }

  /** A database that cannot be read is a refusal that the client may retry, never an open door. */
  async authenticate(request: AccessRequest): Promise<AccessGranted | AccessRefused> {
    try {
      // Who has a password uses it, also where a TLS library sends along whatever certificate it has.
      const { certificate, password } = request;
      if (certificate !== undefined && password === undefined)
        return await this.#byCertificate(certificate.der, request.clientId, nameOfUsername(request.username));
      return await this.#byToken(request);
    } catch (error) {
      return unreadable(error);
    }
  }

  /** What a client that was let in may do now. */
  async renew(principal: AccessGranted): Promise<AccessGranted | AccessRefused> {
    try {
      if (principal instanceof ClaimPrincipal) return await this.#renewShown(principal.credentialId, '');
      if (!(principal instanceof DevicePrincipal)) return REFUSED;
      const { credentialId, tokenHash, id, clientId } = principal;
      if (credentialId === undefined) {
        if (tokenHash === undefined || !sameHash(tokenHash, await this.#tokenHash(id))) return REFUSED;
        return await this.#admit(id, clientId, { tokenHash });
      }
      return await this.#renewShown(credentialId, clientId);
    } catch (error) {
      return unreadable(error);
    }
  }

  /**
   * Begins an exchange, which knows the device by the name inside it: a username and a password beside it count for nothing.
   * Undefined for every method but SCRAM-SHA-256.
   */
  beginExchange(method: string, { clientId }: Pick<AccessRequest, 'clientId'>): AccessExchange | undefined {
    if (method !== SCRAM_SHA_256) return undefined;
    return new ScramExchange({
      accountOf: async (username) => await this.#scram.accountOf(username),
      admit: async (device) => await this.#admit(device, clientId, { tokenHash: await this.#tokenHash(device) }),
      serverNonce: Buffer.from(this.#dependencies.random(SERVER_NONCE_BYTES)).toString('base64'),
    });
  }

  async #byToken({ username, password = NOTHING, clientId }: AccessRequest): Promise<AccessGranted | AccessRefused> {
    const name = nameOfUsername(username);
    if (password.length === 0 && TOKEN.test(name)) return await this.#byTokenAlone(name, clientId);
    const shownHash = hashSecret(password.length > MAX_PASSWORD_BYTES ? NOTHING : password);
    const keptHash = await this.#tokenHash(name);
    if (!sameHash(shownHash, keptHash) || keptHash === NO_HASH || !isDeviceId(name)) return REFUSED;
    return await this.#admit(name, clientId, { tokenHash: keptHash });
  }

  /** As devices of ThingsBoard connect: the token is the username, and there is no password. */
  async #byTokenAlone(token: string, clientId: string): Promise<AccessGranted | AccessRefused> {
    const tokenHash = hashSecret(token);
    const [owner] = await this.#owners.find(tokenHash);
    return owner === undefined ? REFUSED : await this.#admit(owner.device_id, clientId, { tokenHash });
  }

  async #byCertificate(der: Uint8Array, clientId: string, name: string): Promise<AccessGranted | AccessRefused> {
    const { desk } = this.#dependencies;
    const id = certificateIdOf(der);
    let certificate = await this.#certificates.find(id);
    if (certificate === undefined && desk !== undefined && (await desk.registerJustInTime(der)))
      certificate = await this.#certificates.find(id);
    if (certificate === undefined)
      return { refused: 'bad-credentials', reason: `certificate ${id.slice(0, 16)}… is not registered here` };
    // A name is not needed; another device's is a mistake that must not go unnoticed.
    if (name !== '' && certificate.purpose === 'device' && certificate.deviceId !== undefined && name !== certificate.deviceId)
      return {
        refused: 'bad-credentials',
        reason: `the username is ${name}, the certificate is that of ${certificate.deviceId}`,
      };
    const admitted = await this.#admitWith(certificate, clientId);
    if (certificate.isFresh && !('refused' in admitted)) desk?.firstUsed(id);
    return admitted;
  }

  /** Of a client that showed a certificate when it came. */
  async #renewShown(certificateId: string, clientId: string): Promise<AccessGranted | AccessRefused> {
    const certificate = await this.#certificates.find(certificateId);
    return certificate === undefined ? REFUSED : await this.#admitWith(certificate, clientId);
  }

  async #admitWith(certificate: KnownCertificate, clientId: string): Promise<AccessGranted | AccessRefused> {
    const fault = faultOfCertificate(certificate, this.#dependencies.clock.now());
    if (fault !== undefined) return { refused: 'bad-credentials', reason: fault };
    if (certificate.purpose === 'claim') return await this.#admitClaim(certificate);
    if (certificate.deviceId === undefined) return REFUSED;
    return await this.#admit(certificate.deviceId, clientId, { credentialId: certificate.id });
  }

  async #admitClaim(certificate: KnownCertificate): Promise<AccessGranted | AccessRefused> {
    const { database, clock } = this.#dependencies;
    const fault = await faultOfClaimBatch(database, certificate, clock.now());
    return fault === undefined ? new ClaimPrincipal(certificate.id) : { refused: 'bad-credentials', reason: fault };
  }

  /** A device that has proved who it is: what it may do, if it may connect at all with this client id. */
  async #admit(id: string, clientId: string, shown: Shown): Promise<AccessGranted | AccessRefused> {
    const facts = await this.#facts.of(id, clientId);
    if (facts === undefined) return REFUSED;
    const policies = await this.#access.policiesOf(facts, shown.credentialId);
    const values = policies.valuesFor(facts);
    const decider = policies.decideClient(clientId, values);
    if (decider?.effect === 'allow') return new DevicePrincipal({ id, clientId, ...shown, policies, values });
    const why = decider === undefined ? 'no policy allows it' : `policy ${decider.policy} denies it`;
    return { refused: 'not-authorized', reason: `${id} may not connect with the client id ${clientId}: ${why}` };
  }

  async #tokenHash(device: string): Promise<string> {
    const [row] = await this.#tokens.find(device);
    return row?.token_hash ?? NO_HASH;
  }
}

/** With what a device proved who it is: one of both. */
interface Shown {
  readonly credentialId?: string;
  readonly tokenHash?: string;
}

const REFUSED: AccessRefused = { refused: 'bad-credentials', reason: 'the device is not known or its token is another' };

function unreadable(error: unknown): AccessRefused {
  return { refused: 'server-busy', reason: `the registry could not be read: ${String(error)}` };
}
