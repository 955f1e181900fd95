"""Ready parts for servers, each for one framework, which it imports; nothing else imports them."""
