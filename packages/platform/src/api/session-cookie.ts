import type {} from '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SelsynError } from '../kernel/errors.ts';

/** How this server is reached from outside: a cookie goes only over TLS where there is TLS. */
export interface PublicSite {
  /** `https://selsyn.example`: what browsers have in their address bar; undefined: whatever the request says. */
  readonly publicUrl: string | undefined;
}

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The cookie that holds the token of a session: not for scripts, not for other sites, over TLS only where there is TLS. */
export class SessionCookie {
  readonly #site: PublicSite;

  constructor(site: PublicSite) {
    this.#site = site;
  }

  read(request: FastifyRequest): string | undefined {
    return request.cookies[this.#name(request)];
  }

  set(reply: FastifyReply, token: string, expiresAtMs: number): void {
    reply.setCookie(this.#name(reply.request), token, { ...this.#attributes(reply.request), expires: new Date(expiresAtMs) });
  }

  clear(reply: FastifyReply): void {
    reply.clearCookie(this.#name(reply.request), this.#attributes(reply.request));
  }

  isSecure(request: FastifyRequest): boolean {
    return request.protocol === 'https' || this.#site.publicUrl?.startsWith('https:') === true;
  }

  /**
   * Refuses what would change something and was not sent by a page of this server.
   *
   * The cookie is SameSite=Strict already; but another port of the same host is the same site, and not every browser knows
   * SameSite. Browsers send `Sec-Fetch-Site` to HTTPS and localhost, and `Origin` with every request that is not GET or HEAD.
   *
   * @throws SelsynError `access.cross-site`
   */
  ensureOwnPage(request: FastifyRequest): void {
    if (SAFE_METHODS.has(request.method)) return;
    const { origin, 'sec-fetch-site': site } = request.headers;
    const own = site === undefined ? origin !== undefined && this.#isOwn(origin, request) : site === 'same-origin';
    if (!own) {
      throw new SelsynError('access.cross-site', 'with a session, this takes a request of a page of this server');
    }
  }

  /** Refuses a sign-in that a page of another site sends; a program names no origin. @throws SelsynError `access.cross-site` */
  ensureNoForeignPage(request: FastifyRequest): void {
    if (request.headers.origin !== undefined || request.headers['sec-fetch-site'] !== undefined) this.ensureOwnPage(request);
  }

  #isOwn(origin: string, request: FastifyRequest): boolean {
    const { publicUrl } = this.#site;
    if (publicUrl !== undefined && origin === new URL(publicUrl).origin) return true;
    if (!URL.canParse(origin)) return false;
    const { protocol, host } = new URL(origin);
    // A page that came by plain HTTP may be anybody's.
    if (protocol !== 'https:' && (protocol !== 'http:' || this.isSecure(request))) return false;
    const own = `${protocol}//${request.host}`;
    return URL.canParse(own) && new URL(own).host === host;
  }

  /** A browser takes `__Host-` only with Secure, for this host alone and for all paths. */
  #name(request: FastifyRequest): string {
    return this.isSecure(request) ? '__Host-selsyn-session' : 'selsyn-session';
  }

  #attributes(request: FastifyRequest) {
    return { path: '/', httpOnly: true, sameSite: 'strict', secure: this.isSecure(request) } as const;
  }
}
