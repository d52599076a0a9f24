import cookiePlugin from '@fastify/cookie';
import { fastify, type FastifyInstance } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { guardAccess } from './access-guard.ts';
import { accessKeyRoutes } from './access-key-routes.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { apiKeyRoutes } from './api-key-routes.ts';
import { archiveRoutes } from './archive-routes.ts';
import { auditRoutes } from './audit-routes.ts';
import { authorityRoutes } from './authority-routes.ts';
import { certificateRoutes } from './certificate-routes.ts';
import { checkRoutes } from './check-routes.ts';
import { clientRoutes } from './client-routes.ts';
import { commandRoutes } from './command-routes.ts';
import { serveDashboard } from './dashboard-files.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { deviceRoutes } from './device-routes.ts';
import { decoderRoutes } from './decoder-routes.ts';
import { deviceTypeRoutes } from './device-type-routes.ts';
import { fleetRoutes } from './fleet-routes.ts';
import { forwarderRoutes } from './forwarder-routes.ts';
import { graphqlRoutes } from './graphql-routes.ts';
import { Subscriptions } from './graphql/subscriptions.ts';
import { jobRoutes } from './job-routes.ts';
import { groupRoutes } from './group-routes.ts';
import { enrolmentRoutes } from './enrolment-routes.ts';
import { erasureRoutes } from './erasure-routes.ts';
import { holdRoutes } from './hold-routes.ts';
import { retentionRoutes } from './retention-routes.ts';
import { storageRoutes } from './storage-routes.ts';
import { exportRoutes } from './export-routes.ts';
import { guardHost } from './host-guard.ts';
import { identifyBy } from './identify.ts';
import { importRoutes } from './import-routes.ts';
import { takeJson } from './json-body.ts';
import { LiveHub } from './live-hub.ts';
import { liveRoutes } from './live-routes.ts';
import { liveStateRoutes } from './live-state-routes.ts';
import { oidcRoutes } from './oidc-routes.ts';
import { describeRoutes } from './openapi.ts';
import { qualityRoutes } from './quality-routes.ts';
import { pointWriteRoutes } from './point-write-routes.ts';
import { policyRoutes } from './policy-routes.ts';
import { answerBrokenRequest, answerWithProblems, sendProblem } from './problem-handlers.ts';
import { publicationRoutes } from './publication-routes.ts';
import { cardinalityRoutes } from './cardinality-routes.ts';
import { sparkplugRoutes } from './sparkplug-routes.ts';
import { presenceRoutes } from './presence-routes.ts';
import { prometheusRoutes } from './prometheus/prometheus-routes.ts';
import { provisioningRoutes } from './provisioning-routes.ts';
import { provisioningTokenRoutes } from './provisioning-token-routes.ts';
import { serveReference } from './reference-page.ts';
import { requestHookRoutes } from './request-hook-routes.ts';
import { roleRoutes } from './role-routes.ts';
import { onlyProblems } from './route-responses.ts';
import { secretRoutes } from './secret-routes.ts';
import { healthRoutes, metricsRoute, serverRoutes } from './server-routes.ts';
import { shadowDefaultRoutes } from './shadow-default-routes.ts';
import { mergePolicyRoutes } from './merge-policy-routes.ts';
import { searchFieldRoutes } from './search-field-routes.ts';
import { shadowMergeRoutes } from './shadow-merge-routes.ts';
import { shadowRoutes } from './shadow-routes.ts';
import { shadowUpdateRoutes } from './shadow-update-routes.ts';
import { secureHeaders, withSecureHeaders } from './security-headers.ts';
import { SessionCookie } from './session-cookie.ts';
import { sessionRoutes } from './session-routes.ts';
import { signInRoutes } from './sign-in-routes.ts';
import { StateHub } from './state-hub.ts';
import { sqlRoutes } from './sql-routes.ts';
import { telemetryExportRoutes } from './telemetry-export-routes.ts';
import { telemetryRoutes } from './telemetry-routes.ts';
import { TraceHub } from './trace-hub.ts';
import { traceRoutes } from './trace-routes.ts';
import { userRoutes } from './user-routes.ts';

const MAX_BODY_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 4096;
/** Methods of requests that change nothing. */
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** For a whole request to arrive, also its header: a slow one does not hold its socket longer. */
const REQUEST_TIMEOUT_MS = 30_000;
/** For a socket on which nothing moves: a download that nobody reads ends; live streams have a word every second. */
const SOCKET_TIMEOUT_MS = 120_000;
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** Longer than any id, percent-encoded: what is too long is told so by the route, not by the router. */
const MAX_PARAM_LENGTH = 1024;

/**
 * Puts the HTTP API together. The caller listens (`app.listen`) and closes (`app.close`: live streams are told, requests
 * under way are finished).
 */
export async function buildApi(dependencies: ApiDependencies): Promise<FastifyInstance> {
  const { logLines } = dependencies;
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: SOCKET_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // Whatever still comes in while closing is served as before: Fastify's own answer would be no problem document.
    return503OnClosing: false,
    trustProxy: dependencies.trustedProxies.length === 0 ? false : [...dependencies.trustedProxies],
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => sendProblem(error, request, withSecureHeaders(reply), logLines),
    clientErrorHandler: answerBrokenRequest,
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.setValidatorCompiler(validatorCompiler);
  // The types of the routes hold the answers to their schemas; tests check the bytes. Checking each again would cost more
  // than making it.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.removeAllContentTypeParsers();
  takeJson(app, 'application/json');
  answerWithProblems(app, logLines);
  secureHeaders(app);
  if (dependencies.allowedHosts !== undefined) guardHost(app, dependencies.allowedHosts);
  await app.register(cookiePlugin);
  await describeRoutes(app, dependencies.version);

  const cookie = new SessionCookie(dependencies);
  const hub = new LiveHub(dependencies);
  const traceHub = new TraceHub(dependencies);
  const subscriptions = new Subscriptions(dependencies);
  const stateHub = new StateHub({ ...dependencies, feed: dependencies.state.events });
  let closing = false;
  // The connection of a request that was under way would be kept open for the next one, and the server with it.
  app.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('Connection', 'close');
  });
  app.addHook('preClose', async () => {
    closing = true;
    hub.close();
    traceHub.close();
    stateHub.close();
    subscriptions.close();
  });

  await app.register(healthRoutes(dependencies));
  await app.register(publicationRoutes(dependencies));
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) =>
    reply.header('Cache-Control', 'no-cache').send(app.swagger()),
  );
  serveReference(app);
  const { oidcSignIn } = dependencies.people;
  await app.register(signInRoutes({ ...dependencies, cookie }), { prefix: '/api/v1' });
  if (oidcSignIn !== undefined) await app.register(oidcRoutes(oidcSignIn, cookie), { prefix: '/api/v1' });
  const { deviceRoutes: forDevices } = dependencies;
  if (forDevices !== undefined) await app.register(forDevices(onlyProblems));
  await app.register(async (scope) => {
    guardAccess(scope, identifyBy(dependencies.people.identities, cookie));
    scope.addHook('onResponse', async (request) => {
      if (!READS.has(request.method)) dependencies.registryChanged();
    });
    scope.addHook('onSend', async (_request, reply) => {
      reply.header('Cache-Control', 'no-store');
    });
    await scope.register(metricsRoute(dependencies));
    await scope.register(graphqlRoutes(subscriptions, dependencies), { prefix: '/api' });
    await scope.register(
      async (api) => {
        await api.register(deviceRoutes(dependencies));
        await api.register(presenceRoutes(dependencies));
        await api.register(cardinalityRoutes(dependencies));
        await api.register(sparkplugRoutes(dependencies));
        await api.register(groupRoutes(dependencies));
        await api.register(deviceTypeRoutes(dependencies));
        await api.register(decoderRoutes(dependencies));
        await api.register(fleetRoutes(dependencies));
        await api.register(importRoutes(dependencies));
        await api.register(exportRoutes(dependencies));
        await api.register(secretRoutes(dependencies));
        await api.register(telemetryRoutes(dependencies));
        await api.register(pointWriteRoutes(dependencies));
        await api.register(sqlRoutes(dependencies));
        await api.register(telemetryExportRoutes(dependencies));
        await api.register(shadowRoutes(dependencies));
        await api.register(shadowMergeRoutes(dependencies));
        await api.register(mergePolicyRoutes(dependencies));
        await api.register(searchFieldRoutes(dependencies));
        await api.register(shadowUpdateRoutes(dependencies));
        await api.register(shadowDefaultRoutes(dependencies));
        await api.register(commandRoutes(dependencies));
        await api.register(requestHookRoutes(dependencies));
        await api.register(jobRoutes(dependencies));
        await api.register(deadLetterRoutes(dependencies));
        await api.register(qualityRoutes(dependencies));
        await api.register(forwarderRoutes(dependencies));
        await api.register(archiveRoutes(dependencies));
        await api.register(erasureRoutes(dependencies));
        await api.register(retentionRoutes(dependencies));
        await api.register(holdRoutes(dependencies));
        await api.register(storageRoutes(dependencies));
        await api.register(clientRoutes(dependencies));
        await api.register(traceRoutes(traceHub, dependencies));
        await api.register(sessionRoutes({ ...dependencies, cookie }));
        await api.register(userRoutes(dependencies));
        await api.register(roleRoutes(dependencies));
        await api.register(apiKeyRoutes(dependencies));
        await api.register(accessKeyRoutes(dependencies));
        await api.register(policyRoutes(dependencies));
        await api.register(checkRoutes(dependencies));
        await api.register(certificateRoutes(dependencies));
        await api.register(authorityRoutes(dependencies));
        await api.register(provisioningRoutes(dependencies));
        await api.register(enrolmentRoutes(dependencies));
        await api.register(provisioningTokenRoutes(dependencies));
        await api.register(auditRoutes(dependencies));
        await api.register(serverRoutes(dependencies));
        await api.register(liveRoutes(hub));
        await api.register(liveStateRoutes(stateHub, dependencies));
      },
      { prefix: '/api/v1' },
    );
  });
  await app.register(async (scope) => {
    guardAccess(scope, identifyBy(dependencies.people.identities, cookie, { basic: true }));
    await scope.register(prometheusRoutes(dependencies), { prefix: '/prometheus/api/v1' });
  });
  await serveDashboard(app, dependencies.dashboardDir);
  await app.ready();
  return app;
}
