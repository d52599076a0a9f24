import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { DEFAULT_POLICY } from '../retention/retention-policies.ts';
import { LEVELS, type RetentionPolicy } from '../retention/retention-policy.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { wholeNumber } from './parameters.ts';
import {
  changedPoliciesSchema,
  passJson,
  passSchema,
  planJson,
  planSchema,
  policyBodySchema,
  policyDraft,
  policyJson,
  policySchema,
} from './retention-schemas.ts';
import { problems } from './route-responses.ts';

const params = z.object({ name: z.string().min(1).max(64).describe('The name of the policy.') });
const none = z.strictObject({});
const THREAD = ['thread.timeout', 'thread.gone'] as const;
const BODY = ['request.too-large', 'request.unsupported-media-type', ...THREAD] as const;
/** It is about what all devices have sent. */
const READ = { permission: 'storage:read', everything: true } as const;
const WRITE = { permission: 'storage:write', everything: true } as const;
const tags = ['storage'];

const retentionSchema = z
  .object({
    policies: z.array(policySchema).describe('`default` first, then by name.'),
    clock: z.object({
      believed: z
        .boolean()
        .describe('false: the clock has jumped, and nothing is let go by its age until somebody says that it is right.'),
      message: z.string().optional(),
    }),
    lastPass: passSchema.optional().describe('Since the start of the server.'),
    letGo: z
      .array(
        z.object({
          atMs: z.number(),
          level: z.enum(LEVELS),
          file: z.string(),
          from: z.iso.date(),
          to: z.iso.date(),
          action: z.enum(['drop', 'trim']),
          because: z.enum(['age', 'space']).describe('space: the floor of free space.'),
          freedBytes: z.number().int(),
        }),
      )
      .describe('What was let go last, newest first.'),
  })
  .describe('Policies, and what they have done.');

/** How long telemetry is kept, and what goes when. */
export function retentionRoutes({ retention }: Pick<ApiDependencies, 'retention'>): FastifyPluginAsyncZod {
  const shown = async (policy: RetentionPolicy): Promise<ReturnType<typeof policyJson>> =>
    policyJson(policy, await retention.policies.get(DEFAULT_POLICY));
  return async (app) => {
    app.get(
      '/retention',
      {
        config: READ,
        schema: {
          operationId: 'getRetention',
          summary: 'Show how long telemetry is kept, and what was let go',
          description:
            'For each series and level the most specific policy counts that says something of the level: more conditions before fewer; then a metric before a group before a type; a metric by its name before one with `*`, and the longer of these; the deeper group.',
          tags,
          querystring: z.strictObject({
            letGo: wholeNumber({ min: 0, max: 1_000, default: 20 }).describe('How much of what was let go to show.'),
          }),
          response: { 200: retentionSchema, ...problems(...THREAD) },
        },
      },
      async (request) => {
        const policies = await retention.policies.list();
        const { clock, lastPass, letGo } = await retention.status(request.query.letGo);
        return {
          policies: policies.map((policy) => policyJson(policy, policies[0]!)),
          clock: clock.believed ? { believed: true } : { believed: false, message: clock.message },
          ...(lastPass !== undefined && { lastPass: passJson(lastPass) }),
          letGo: [...letGo],
        };
      },
    );

    app.get(
      '/retention/policies/:name',
      {
        config: READ,
        schema: {
          operationId: 'getRetentionPolicy',
          summary: 'Show a retention policy',
          tags,
          params,
          querystring: none,
          response: { 200: policySchema, ...problems('retention-policy.not-found') },
        },
      },
      async (request) => await shown(await retention.policies.get(request.params.name)),
    );

    app.put(
      '/retention/policies/:name',
      {
        config: WRITE,
        schema: {
          operationId: 'putRetentionPolicy',
          summary: 'Make or change a retention policy',
          description:
            'It holds from the next pass on, within ten minutes. `POST /retention/plan` tells before what would go. `default` has no conditions; every other policy has at least one. A level that is shorter than a finer one is refused: coarser points stay at least as long as finer ones.',
          tags,
          params,
          querystring: none,
          body: policyBodySchema,
          response: {
            200: policySchema,
            ...problems('group.not-found', 'device-type.not-found', 'retention-policy.exists', ...BODY),
          },
        },
      },
      async (request) => {
        const draft = policyDraft({ name: request.params.name, ...request.body });
        return await shown(await retention.putPolicy(draft, access(request).actor));
      },
    );

    app.delete(
      '/retention/policies/:name',
      {
        config: WRITE,
        schema: {
          operationId: 'removeRetentionPolicy',
          summary: 'Remove a retention policy',
          description: '`default` is as it was at first afterwards.',
          tags,
          params,
          querystring: none,
          response: { 204: z.null().describe('Removed.'), ...problems('retention-policy.not-found', ...THREAD) },
        },
      },
      async (request, reply) => {
        await retention.removePolicy(request.params.name, access(request).actor);
        return await reply.code(204).send(null);
      },
    );

    app.post(
      '/retention/plan',
      {
        config: READ,
        schema: {
          operationId: 'planRetention',
          summary: 'Show what would go now, and how much that frees',
          description: 'A dry run: nothing is changed. With `policies` it tells what would go if they were as given.',
          tags,
          querystring: none,
          body: z.strictObject({ policies: changedPoliciesSchema.optional() }),
          response: { 200: planSchema, ...problems(...BODY) },
        },
      },
      async (request) => planJson(await retention.plan((request.body.policies ?? []).map(policyDraft))),
    );

    app.post(
      '/retention/run',
      {
        config: WRITE,
        schema: {
          operationId: 'runRetention',
          summary: 'Let go now what is too old',
          description:
            'It is done by itself every ten minutes. This is answered once it is done; a pass that is under way counts.',
          tags,
          querystring: none,
          response: { 200: passSchema, ...problems(...THREAD) },
        },
      },
      async () => passJson(await retention.run()),
    );

    app.post(
      '/retention/confirm-clock',
      {
        config: WRITE,
        schema: {
          operationId: 'confirmClock',
          summary: 'Say that the clock is right, though it has jumped',
          description: 'From then on telemetry goes by its age again.',
          tags,
          querystring: none,
          response: { 204: z.null().describe('Believed.'), ...problems(...THREAD) },
        },
      },
      async (_request, reply) => {
        await retention.confirmClock();
        return await reply.code(204).send(null);
      },
    );
  };
}
