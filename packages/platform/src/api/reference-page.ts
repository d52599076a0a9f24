import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { fastify, type FastifyInstance } from 'fastify';
import { SelsynError } from '../kernel/errors.ts';
import { contentSecurityPolicy } from './content-security-policy.ts';

const compress = promisify(gzip);
const PREFIX = '/docs';

interface ReferencePage {
  readonly html: string;
  readonly policy: string;
  readonly script: Buffer;
  readonly scriptGzip: Buffer;
  readonly scriptTag: string;
}

/**
 * Serves the API reference at `/docs`, all of it from here: no font, script or proxy of others.
 *
 * The page is 5 MB of script that few ask for, so it is loaded by the first who does.
 */
export function serveReference(app: FastifyInstance): void {
  let page: Promise<ReferencePage> | undefined;
  const loaded = async (): Promise<ReferencePage> => {
    page ??= loadPage();
    try {
      return await page;
    } catch (error) {
      page = undefined;
      throw error;
    }
  };

  app.get(PREFIX, { schema: { hide: true } }, async (_request, reply) => reply.redirect(`${PREFIX}/`, 301));

  app.get(`${PREFIX}/`, { schema: { hide: true } }, async (_request, reply) => {
    const { html, policy } = await loaded();
    reply.header('Content-Security-Policy', policy).header('Cache-Control', 'no-cache');
    return reply.type('text/html; charset=utf-8').send(html);
  });

  app.get(`${PREFIX}/js/scalar.js`, { schema: { hide: true } }, async (request, reply) => {
    const { script, scriptGzip, scriptTag } = await loaded();
    reply.header('Cache-Control', 'no-cache').header('ETag', scriptTag).header('Vary', 'Accept-Encoding');
    if (request.headers['if-none-match'] === scriptTag) return reply.code(304).send();
    reply.type('text/javascript; charset=utf-8');
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(script);
    return reply.header('Content-Encoding', 'gzip').send(scriptGzip);
  });
}

/** Lets the package build its page in an app that nobody listens to, and takes it over. */
async function loadPage(): Promise<ReferencePage> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const builder = fastify({ logger: false });
  try {
    await builder.register(scalar, {
      routePrefix: PREFIX,
      configuration: {
        url: '/openapi.json',
        pageTitle: 'Selsyn API',
        withDefaultFonts: false,
        telemetry: false,
        showDeveloperTools: 'never',
        hideClientButton: true,
        persistAuth: false,
        agent: { disabled: true },
        mcp: { disabled: true },
      },
    });
    const html = await builder.inject(`${PREFIX}/`);
    const script = await builder.inject(`${PREFIX}/js/scalar.js`);
    if (html.statusCode !== 200 || script.statusCode !== 200)
      throw new SelsynError('internal', 'the API reference could not be built');
    return {
      html: html.body,
      policy: policyFor(html.body),
      script: script.rawPayload,
      scriptGzip: await compress(script.rawPayload),
      scriptTag: `"${createHash('sha256').update(script.rawPayload).digest('base64url').slice(0, 22)}"`,
    };
  } finally {
    await builder.close();
  }
}

/** Allows the inline scripts of exactly this page by their hashes (CSP Level 3, 6.7.3.3). */
function policyFor(html: string): string {
  const inline = [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1] ?? '');
  return contentSecurityPolicy(inline.map((script) => `sha256-${createHash('sha256').update(script).digest('base64')}`));
}
