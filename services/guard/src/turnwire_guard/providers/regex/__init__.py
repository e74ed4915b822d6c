"""The provider `regex`: expressions, words, hosts and shipped sets, in linear time."""
