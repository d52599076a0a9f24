import type { FastifyPluginAsync } from 'fastify';
import { estRoutes, type EstRoutesDependencies } from './est-routes.ts';
import { provisionRoutes, type ProvisionDependencies } from './provision-routes.ts';
import { type DescribeProblems, wellKnownRoutes, type WellKnownDependencies } from './well-known-routes.ts';

export type DeviceRoutesDependencies = WellKnownDependencies & ProvisionDependencies & EstRoutesDependencies;

/** All by which a device that has no credential yet comes in over HTTP. Asks for no key of the API. */
export function deviceFacingRoutes(dependencies: DeviceRoutesDependencies, problems: DescribeProblems): FastifyPluginAsync {
  return async (app) => {
    await app.register(wellKnownRoutes(dependencies, problems));
    await app.register(provisionRoutes(dependencies, problems), { prefix: '/api/v1' });
    await app.register(estRoutes(dependencies));
  };
}
