//! Orders to one device, by whichever way it has, and to an agent: API, and the parts of their sheets.

mod agents;
mod api;
mod devices;
mod lines;

pub(crate) use agents::{AgentOrders, agent_log, agent_part, cancel_agent, order_agent_page};
pub(crate) use api::*;
pub(crate) use devices::{DeviceOrdersPart, cancel_device, device_part, order_device_page};
pub(crate) use lines::{OrderLine, order_line};
