import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ProvisioningToken } from '../provisioning/provisioning-token.ts';
import { MAX_TOKEN_COUNT, MAX_TOKEN_RATE, MAX_TOKENS_AT_ONCE } from '../provisioning/provisioning-tokens.ts';
import { TEMPLATE_NAME } from '../provisioning/provisioning-topics.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { wholeNumber } from './parameters.ts';
import { problems } from './route-responses.ts';

const MAX_PAGE = 1_000;
/** A thousand serial numbers, of any length and characters. */
const MAX_BODY_BYTES = 1_048_576;

const tokenSchema = z
  .object({
    id: z.string(),
    template: z.string(),
    group: z.string(),
    batch: z.string().optional().describe('Tokens that are stopped together.'),
    serial: z.string().optional().describe('The one serial number that it is for.'),
    maxCount: z.number(),
    enrolled: z.number().describe('Devices that enrolled with it.'),
    ratePerMinute: z.number(),
    expiresAtMs: z.number(),
    createdAtMs: z.number(),
    stoppedAtMs: z.number().optional(),
  })
  .describe('By which devices enrol over HTTP. The token itself is shown only when it is made.');

export type ProvisioningTokenJson = z.infer<typeof tokenSchema>;

const draftSchema = z.strictObject({
  template: z.string().min(1).max(128),
  batch: z
    .string()
    .regex(TEMPLATE_NAME, 'must be 1 to 128 of A-Z a-z 0-9 : _ . -')
    .optional()
    .describe('A name for all of them; manifest entries may name it.'),
  serials: z
    .array(z.string().min(1).max(128))
    .min(1)
    .max(MAX_TOKENS_AT_ONCE)
    .optional()
    .describe('One token for each of these serial numbers, which no other can use.'),
  tokens: z
    .number()
    .int()
    .min(1)
    .max(MAX_TOKENS_AT_ONCE)
    .optional()
    .describe('How many, where there are no serials; by default one.'),
  maxCount: z.number().int().min(1).max(MAX_TOKEN_COUNT).default(1).describe('Devices that may enrol with each.'),
  expiresAtMs: z.number().int().positive(),
  ratePerMinute: z.number().int().min(1).max(MAX_TOKEN_RATE).default(60).describe('Requests a minute with each.'),
});

const params = z.object({ id: z.string().min(1).max(64).describe('The id of a token; not the token.') });

/** Pre-shared tokens of provisioning. Those of templates outside of the caller's own nodes look not there. */
export function provisioningTokenRoutes({
  provisioningTokens: tokens,
}: Pick<ApiDependencies, 'provisioningTokens'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/provisioning/tokens',
      {
        bodyLimit: MAX_BODY_BYTES,
        config: { permission: 'provisioning:write' },
        schema: {
          operationId: 'createProvisioningTokens',
          summary: 'Make provisioning tokens',
          tags: ['provisioning'],
          body: draftSchema,
          response: {
            201: z
              .object({ items: z.array(tokenSchema.extend({ token: z.string().describe('Shown this once.') })) })
              .describe('In the order of the serials.'),
            ...problems('template.not-found', 'request.too-large', 'request.unsupported-media-type', 'access.cross-site'),
          },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const made = await tokens.create(request.body, scope, actor);
        return await reply.code(201).send({ items: made.map((each) => ({ ...shown(each), token: each.token })) });
      },
    );

    app.get(
      '/provisioning/tokens',
      {
        config: { permission: 'provisioning:read' },
        schema: {
          operationId: 'listProvisioningTokens',
          summary: 'List provisioning tokens',
          tags: ['provisioning'],
          querystring: z.strictObject({
            template: z.string().max(128).optional().describe('Only those of this template.'),
            batch: z.string().max(128).optional().describe('Only those of this batch.'),
            limit: wholeNumber({ min: 1, max: MAX_PAGE, default: 100 }).describe('At most so many.'),
            cursor: z.string().min(1).max(64).optional().describe('What an earlier answer gave.'),
          }),
          response: {
            200: z
              .object({ items: z.array(tokenSchema), cursor: z.string().optional().describe('Present: there are more.') })
              .describe('The newest first.'),
            ...problems('provisioning-token.not-found'),
          },
        },
      },
      async (request) => {
        const { cursor: after, limit, ...filter } = request.query;
        const page = await tokens.list({ ...filter, after, limit: limit + 1, scope: access(request).scope });
        const items = page.slice(0, limit).map(shown);
        const last = items.at(-1);
        return { items, ...(page.length > limit && last !== undefined && { cursor: last.id }) };
      },
    );

    app.get(
      '/provisioning/tokens/:id',
      {
        config: { permission: 'provisioning:read' },
        schema: {
          operationId: 'getProvisioningToken',
          summary: 'Show a provisioning token',
          tags: ['provisioning'],
          params,
          querystring: z.strictObject({}),
          response: { 200: tokenSchema, ...problems('provisioning-token.not-found') },
        },
      },
      async (request) => shown(await tokens.get(request.params.id, access(request).scope)),
    );

    app.delete(
      '/provisioning/tokens/:id',
      {
        config: { permission: 'provisioning:write' },
        schema: {
          operationId: 'stopProvisioningToken',
          summary: 'Stop a provisioning token for good',
          description: 'Who has enrolled with it stays.',
          tags: ['provisioning'],
          params,
          querystring: z.strictObject({}),
          response: { 200: tokenSchema, ...problems('provisioning-token.not-found', 'access.cross-site') },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        return shown(await tokens.stop(request.params.id, scope, actor));
      },
    );

    app.post(
      '/provisioning/tokens/stop',
      {
        config: { permission: 'provisioning:write' },
        schema: {
          operationId: 'stopProvisioningTokens',
          summary: 'Stop a batch of provisioning tokens for good',
          tags: ['provisioning'],
          body: z.strictObject({ template: z.string().min(1).max(128), batch: z.string().min(1).max(128) }),
          response: {
            200: z.object({ stopped: z.number() }).describe('How many were not stopped before.'),
            ...problems('template.not-found', 'request.too-large', 'request.unsupported-media-type', 'access.cross-site'),
          },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        const { template, batch } = request.body;
        return { stopped: await tokens.stopBatch(template, batch, scope, actor) };
      },
    );
  };
}

/** Of one that was just made without what it is. */
function shown(token: ProvisioningToken): ProvisioningTokenJson {
  const { id, template, group, batch, serial, maxCount, enrolled, ratePerMinute, expiresAtMs, createdAtMs, stoppedAtMs } = token;
  return {
    id,
    template,
    group,
    ...(batch !== undefined && { batch }),
    ...(serial !== undefined && { serial }),
    maxCount,
    enrolled,
    ratePerMinute,
    expiresAtMs,
    createdAtMs,
    ...(stoppedAtMs !== undefined && { stoppedAtMs }),
  };
}
