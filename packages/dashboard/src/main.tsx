import './theme/mantine-styles.ts';
import './theme/theme.css';
import './theme/base.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/app.tsx';
import { createServices } from './app/services.ts';
import { takeKeyFromAddress } from './session/key-from-hash.ts';

// Before the router looks at the address: the key must be neither in it nor in the history.
const keyOfAddress = takeKeyFromAddress();
const services = createServices();
if (keyOfAddress !== undefined) services.session.signIn(keyOfAddress, false);
else if (services.session.key() !== undefined) services.connection.start();

window.addEventListener('hashchange', () => {
  const key = takeKeyFromAddress();
  if (key !== undefined) services.session.signIn(key, false);
});
window.addEventListener('online', () => services.connection.retryNow());

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <App services={services} />
  </StrictMode>,
);
