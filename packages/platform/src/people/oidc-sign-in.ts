import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  discovery,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  type Configuration,
} from 'openid-client';
import { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { rolesByClaims, type OidcRoleRule } from './oidc-roles.ts';
import type { OidcPerson, OidcUsers } from './oidc-users.ts';
import type { SealedText } from './sealed-text.ts';
import type { NewSession, Sessions, SignInOrigin } from './sessions.ts';

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** On the button. */
  readonly label: string;
  /** Besides `openid`, with spaces between. */
  readonly scopes: string;
  /** The claim whose values the rules are about. */
  readonly claim: string;
  readonly rules: readonly OidcRoleRule[];
  /** Where the provider sends the browser back to. */
  readonly redirectUri: string;
}

/** What the browser keeps while it is at the provider, sealed. */
const pendingSchema = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  expiresAtMs: z.number(),
});

/** A sign-in takes no longer, and the cookie lives as long. */
export const PENDING_MS = 10 * 60_000;
const DISCOVERY_MS = 3_600_000;
const TIMEOUT_SEC = 10;

/** Sign-in by OpenID Connect: authorization code with PKCE (RFC 7636), state and nonce (OpenID Connect Core 1.0, 3.1.2). */
export class OidcSignIn {
  readonly #settings: OidcSettings;
  readonly #users: OidcUsers;
  readonly #sessions: Sessions;
  readonly #sealed: SealedText;
  readonly #clock: Clock;
  readonly #logLines: Pick<LogLines, 'warn'>;
  #provider: { readonly configuration: Promise<Configuration>; readonly untilMs: number } | undefined;

  constructor(dependencies: {
    readonly settings: OidcSettings;
    readonly users: OidcUsers;
    readonly sessions: Sessions;
    readonly sealed: SealedText;
    readonly clock: Clock;
    readonly logLines: Pick<LogLines, 'warn'>;
  }) {
    this.#settings = dependencies.settings;
    this.#users = dependencies.users;
    this.#sessions = dependencies.sessions;
    this.#sealed = dependencies.sealed;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  get label(): string {
    return this.#settings.label;
  }

  /**
   * Begins a sign-in.
   *
   * @param returnTo the path of a page of this server; what is none becomes `/`.
   * @returns where the browser goes, and what it keeps in a cookie meanwhile: so only the browser that began can end it.
   * @throws SelsynError `sign-in.unavailable`
   */
  async begin(returnTo: string): Promise<{ readonly url: string; readonly pending: string }> {
    const configuration = await this.#discover();
    const { redirectUri, scopes } = this.#settings;
    const pending = {
      state: randomState(),
      nonce: randomNonce(),
      verifier: randomPKCECodeVerifier(),
      returnTo: pathOf(returnTo),
      expiresAtMs: this.#clock.now() + PENDING_MS,
    };
    const url = buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: `openid ${scopes}`.trim(),
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, pending: this.#sealed.seal(JSON.stringify(pending)) };
  }

  /**
   * Ends a sign-in with what the provider sent the browser back with.
   *
   * @param query of that address, without the question mark.
   * @throws SelsynError `sign-in.failed`, `access.denied` for people without any role here, `sign-in.unavailable`
   */
  async finish(
    query: string,
    sealed: string | undefined,
    origin: SignInOrigin,
  ): Promise<{ readonly session: NewSession; readonly returnTo: string }> {
    const pending = this.#openPending(sealed);
    const configuration = await this.#discover();
    const person = await this.#exchange(configuration, query, pending);
    const user = await this.#users.admit(person);
    return { session: await this.#sessions.begin(user, 'oidc', origin), returnTo: pending.returnTo };
  }

  #openPending(sealed: string | undefined): z.output<typeof pendingSchema> {
    const text = sealed === undefined ? undefined : this.#sealed.open(sealed);
    const pending = text === undefined ? undefined : pendingSchema.parse(JSON.parse(text));
    if (pending === undefined || this.#clock.now() >= pending.expiresAtMs) {
      throw new SelsynError('sign-in.failed', 'this browser did not begin this sign-in, or took too long: begin again');
    }
    return pending;
  }

  async #exchange(
    configuration: Configuration,
    query: string,
    { state, nonce, verifier }: z.output<typeof pendingSchema>,
  ): Promise<OidcPerson> {
    try {
      const tokens = await authorizationCodeGrant(configuration, new URL(`${this.#settings.redirectUri}?${query}`), {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new SelsynError('sign-in.failed', 'the identity provider did not say who signed in');
      const more =
        configuration.serverMetadata().userinfo_endpoint === undefined
          ? {}
          : await fetchUserInfo(configuration, tokens.access_token, claims.sub);
      return this.#personOf({ ...more, ...claims });
    } catch (error) {
      if (isSelsynError(error)) throw error;
      // What the provider said is for the log: its words may hold parts of tokens.
      this.#logLines.warn({ err: error }, 'a sign-in by OpenID Connect failed');
      throw new SelsynError('sign-in.failed', 'the identity provider did not confirm the sign-in', { cause: error });
    }
  }

  #personOf(claims: Readonly<Record<string, unknown>>): OidcPerson {
    const { claim, rules } = this.#settings;
    const text = (name: string): string | undefined => {
      const value = claims[name];
      return typeof value === 'string' && value !== '' ? value : undefined;
    };
    const [issuer, subject] = [text('iss'), text('sub')];
    if (issuer === undefined || subject === undefined) {
      throw new SelsynError('sign-in.failed', 'the identity provider did not say who signed in');
    }
    return {
      issuer,
      subject,
      preferredName: text('preferred_username') ?? text('email') ?? subject,
      displayName: text('name'),
      roles: rolesByClaims(claims, { claim, rules }),
    };
  }

  /** Asked for once an hour, and again after a failure. */
  async #discover(): Promise<Configuration> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#provider === undefined || nowMs >= this.#provider.untilMs) {
      this.#provider = { configuration: this.#askProvider(), untilMs: nowMs + DISCOVERY_MS };
    }
    const { configuration } = this.#provider;
    try {
      return await configuration;
    } catch (error) {
      if (this.#provider?.configuration === configuration) this.#provider = undefined;
      this.#logLines.warn({ err: error }, 'the identity provider could not be reached');
      throw new SelsynError('sign-in.unavailable', 'the identity provider cannot be reached just now', {
        cause: error,
        retryable: true,
      });
    }
  }

  async #askProvider(): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.#settings;
    const url = new URL(issuer);
    return await discovery(url, clientId, clientSecret, undefined, {
      timeout: TIMEOUT_SEC,
      // The configuration allows http for loopback only.
      ...(url.protocol === 'http:' && { execute: [allowInsecureRequests] }),
    });
  }
}

/** A path of this server: `//host` and `/\host` lead elsewhere. */
function pathOf(text: string): string {
  return /^\/(?![/\\])[\x21-\x7e]*$/.test(text) && text.length <= 2048 ? text : '/';
}
