import './theme/mantine-styles.ts';
import './theme/theme.css';
import './theme/base.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/app.tsx';
import { createServices } from './app/services.ts';
import { askForSession } from './session/ask-for-session.ts';
import { takeKeyFromAddress } from './session/key-from-hash.ts';

const FRESH_FOR_MS = 10_000;

// Before the router looks at the address: the key must be neither in it nor in the history.
const keyOfAddress = takeKeyFromAddress();
const services = createServices();
if (keyOfAddress !== undefined) services.session.signIn(keyOfAddress, false);
else if (services.session.state().kind === 'signed-in') services.connection.start();
else void askForSession(services.client, services.session);

window.addEventListener('hashchange', () => {
  const key = takeKeyFromAddress();
  if (key !== undefined) services.session.signIn(key, false);
});
// A page that outlived an update of the server asks for parts that are gone. One that has just loaded would only do so again.
window.addEventListener('vite:preloadError', () => {
  if (performance.now() > FRESH_FOR_MS) location.reload();
});
window.addEventListener('online', () => services.connection.retryNow());

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <App services={services} />
  </StrictMode>,
);
